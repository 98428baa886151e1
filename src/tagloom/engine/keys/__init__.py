"""The ids of people: hashed keys, and the ordinal of each."""
