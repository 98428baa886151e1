"""What every route of the Platform API shares: from an address to a handler, and from an answer to bytes."""
