"""HTTP: the Platform API, decisions, health, metrics and the API reference."""
