"""Limits of alerts, each with its unit and its reason."""

ALERTS_WAITING_MAX = 1_000  # Alerts of one process that wait to be sent. Further alerts are only logged.
ALERT_SECONDS_MAX = 10  # If a webhook or a mail server takes longer, the failure is logged.
EMAILS_PER_ALERT_MAX = 20  # People who receive an alert. Use a mailing list for more people.
