"""Code that all other packages use: problems, limits, times, text, durable files, counters and spans."""
