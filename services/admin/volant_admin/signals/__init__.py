"""Signals: values that gates of an execution wait for."""
