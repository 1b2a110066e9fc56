"""Filters, sorting and paging of every List method: one language, compiled to SQL.

A noun declares what can be filtered (`Listing`: columns with their types, and joins); `Listing.statement` turns a
request's filters, sort order, limit and token into one statement with parameters. Nothing here knows any noun.
"""

from volant_admin.listing.columns import Column, Kind, parse_duration, parse_timestamp, registered
from volant_admin.listing.statement import Join, Listing, Statement

__all__ = ["Column", "Join", "Kind", "Listing", "Statement", "parse_duration", "parse_timestamp", "registered"]
