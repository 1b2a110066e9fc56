"""Projects, the domains that all of them have, and the check that a request's project and domain are in use."""
