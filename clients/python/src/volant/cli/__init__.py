"""The `volant` command. One module for each group of commands; they call the SDK's public parts and print."""

from volant.cli.main import main

__all__ = ["main"]
