"""The vocabulary of Tagloom, pure and without I/O: tags, people, rules, expiry, mappings and the model."""
