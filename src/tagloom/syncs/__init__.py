"""Syncs: named sources that are read on a schedule or on request. Each sync can own a branch of tags."""
