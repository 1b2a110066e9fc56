"""Entities as the contract's messages: what is registered. Pure; nothing here talks to a platform or reads files."""
