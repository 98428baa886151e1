"""Syncs: named sources that are read on a schedule or on request, and mirrored into a branch of their own."""
