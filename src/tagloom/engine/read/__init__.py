"""Reads: counts, members, decisions, trends, and the past."""
