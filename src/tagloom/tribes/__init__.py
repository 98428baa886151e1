"""Use cases of tribes: definitions, boards and members."""
