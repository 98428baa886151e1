"""The oracle: the store port in plain dicts and sets, slow and obvious, which every other adapter must agree with.

A write copies the state, changes the copy, and keeps the difference as its record. Everything that a version did,
a dry run would do, and an undo reverses is that difference.
"""

from tagloom.stores.memory.population import MemoryPopulation
from tagloom.stores.memory.tenants import MemoryControl

__all__ = ["MemoryControl", "MemoryPopulation"]
