"""Limits of syncs, each with its unit and its reason."""

PROPOSAL_BYTES_MAX = 16_777_216  # The beginning of a file; a Parquet file must fit, as its columns are at its end.
SYNC_QUERY_CHARACTERS_MAX = 20_000  # Longer queries belong in a view of the database.
SYNC_SECONDS_BETWEEN_LOOKS = 1  # How often a process checks for syncs that are due and imports that have ended.
SYNC_HELD_SECONDS = 60  # A run that its process did not renew for so long is begun again by another one.
ALERTS_WAITING_MAX = 1_000  # Alerts of one process that wait to be sent; further ones are only logged.
SYNC_ALERT_SECONDS_MAX = 10  # When a webhook or mail server takes longer, the failure is logged.
SYNC_QUERY_SECONDS_MAX = 10_800  # Three hours: a longer query should use a cursor or a view.
SYNCS_READ_AT_ONCE_MAX = 4  # Sources that one process reads at the same moment; further runs wait.
SYNCS_READ_PER_ORGANIZATION_MAX = 2  # Of these; the others are kept for other organizations.
BEGINNINGS_AT_ONCE_MAX = 6  # Sources whose first rows are read at the same moment; each may use a thread for long.
BEGINNINGS_PER_ORGANIZATION_MAX = 2  # Of these; the others are kept for other organizations.
BEGINNING_SECONDS_MAX = 20  # The part of a file that arrives in this time is its beginning; a person waits for it.
SYNC_EMAILS_MAX = 20  # People who receive an alert; use a mailing list for more.
