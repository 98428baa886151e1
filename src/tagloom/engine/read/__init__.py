"""Reads: counts, members, decisions, trends, and time travel."""
