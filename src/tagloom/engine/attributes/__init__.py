"""Attributes as bitmaps: the codes of values, and the people whose values satisfy the nodes of rules."""
