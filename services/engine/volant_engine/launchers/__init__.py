"""How task attempts are run: the port, and an adapter for each kind of place. No scheduling decisions, no retries."""
