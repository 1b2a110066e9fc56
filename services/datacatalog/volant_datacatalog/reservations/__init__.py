"""Reservations: the right to fill one place of the cache, while others wait. The rules, and the table."""
