"""What the use cases need from a store, one protocol for each subject, and the problems that a store raises."""
