"""The parts that all routes of the Platform API share: from the URL to the handler, and from the answer to bytes."""
