"""One environment in the memory of this process: bitmaps, tag dictionary and version."""
