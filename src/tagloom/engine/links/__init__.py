"""Links in the engine: which people are linked to which users, as codes, in memory, and as moves of event counts."""
