"""Background work: the loop on which every job of a serving process runs."""
