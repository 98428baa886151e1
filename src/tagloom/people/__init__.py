"""Use cases about people: exports."""
