"""The vocabulary of Tagloom: tags, people, rules, expiry, mappings and the model. The functions have no I/O."""
