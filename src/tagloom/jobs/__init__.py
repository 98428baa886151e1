"""Background work: loops that every serving process runs."""
