"""Imports: a file is brought, understood by its mapping, planned, applied in steps that survive a crash, and undone."""
