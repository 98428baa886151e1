"""The oracle: the ports of the stores in plain dicts and sets. Every other adapter must agree with it.

It is slow and obvious. A write copies the state, changes the copy, and keeps the difference as its record. This
difference is everything that a version did, that a dry run would do, and that an undo reverses.
"""

from tagloom.stores.memory.population import MemoryPopulation
from tagloom.stores.memory.tenants import MemoryControl

__all__ = ["MemoryControl", "MemoryPopulation"]
