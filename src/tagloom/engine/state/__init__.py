"""The state of one environment in the memory of this process: bitmaps, dictionary, directory and version."""
