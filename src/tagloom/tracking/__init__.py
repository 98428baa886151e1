"""Event sources, and the messages that client libraries of Segment and RudderStack send."""
