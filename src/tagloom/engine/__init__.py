"""Bitmaps: the only home of pyroaring and numpy, with the readers that feed it."""
