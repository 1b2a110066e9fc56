"""What clients are told about logging in: that there is nothing to do. No authentication belongs here."""
