"""Compile an option tree kept in git into an immutable configuration and bring it to servers."""

__version__ = "0.1.0"
