"""Use cases about the past: time travel, retention and compaction."""
