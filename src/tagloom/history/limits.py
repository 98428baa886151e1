"""Limits of history, each with its unit and its reason."""

COMPACTION_SECONDS_BETWEEN_POLLS = 60  # How often a server checks for history that is older than its retention.
COMPACTION_STEPS_PER_RETENTION = 100  # History is compacted when it exceeds its retention by this part, 1 %.
