"""The log of changes: who added what, and its compaction."""
