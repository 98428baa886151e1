"""A typed client of the Tagloom Platform API."""

__version__ = "0.1.0"
