"""Syncs: named sources that are read on a schedule or on call, and mirrored into a branch of their own."""
