"""Imports: a file is stored, read by its mapping, planned, applied in steps that survive a crash, and undone."""
