"""The doors of HTTP: the Platform API, decisions, health, metrics and the reference."""
