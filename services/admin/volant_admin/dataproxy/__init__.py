"""Uploads and downloads without the store's keys: signed URLs, and values by their flyte:// address."""
