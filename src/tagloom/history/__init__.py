"""Use cases of history: time travel, retention and compaction."""
