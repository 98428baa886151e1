"""Files of other machines: which may be reached, by what secret, and their bytes as they come."""
