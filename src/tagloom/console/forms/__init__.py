"""Converts between forms of the console and values."""
