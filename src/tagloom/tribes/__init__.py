"""Use cases about tribes: definitions, boards, and who is in them."""
