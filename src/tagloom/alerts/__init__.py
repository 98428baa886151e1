"""Alerts: messages to people about what needs them, by a webhook and by e-mail."""
