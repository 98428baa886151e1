"""The history: its log of changes, and its compaction."""
