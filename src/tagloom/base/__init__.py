"""What every room uses: problems, limits, times, text, files that survive a crash, counters and spans."""
