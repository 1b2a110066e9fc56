"""Attempts as local processes, forked from warm interpreters. Nothing here knows the engine, admin or a database."""
