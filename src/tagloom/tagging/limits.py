"""Limits of changes of tags, each with its unit and its reason."""

SWEEP_SECONDS_BETWEEN_POLLS = 5  # How often a server looks for taggings that start or expire. They are so late.
VERSIONS_PER_UNDO_MAX = 10_000  # The versions of one undo. A job that writes every ten seconds makes these in a day.
