"""The directory of people: their hashed keys, and the ordinal of each."""
