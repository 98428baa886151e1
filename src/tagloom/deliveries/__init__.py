"""Deliveries: the recorded events of an environment, written to a folder or a bucket on a schedule."""
