"""The command line."""

from dplass_cli.cli.app import app

__all__ = ["app"]
