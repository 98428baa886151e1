"""Writes: lines are aggregated, turned into a draft of changes, and committed."""
