"""The migrations, one file for each revision. A released file never changes."""
