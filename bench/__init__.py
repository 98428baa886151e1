"""Measures Tagloom against its peers in the same run: `python -m bench [--full] [--only NAME]`."""
