"""Limits of changes of tags, each with its unit and its reason."""

SWEEP_SECONDS_BETWEEN_LOOKS = 5  # How often a server looks for what has ended; so late a tagging ends at most.
VERSIONS_PER_UNDO_MAX = 10_000  # Undone as one; a day of a job that writes every ten seconds.
