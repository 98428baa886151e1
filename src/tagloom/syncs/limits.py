"""Limits of syncs, each with its unit and its reason."""

PROPOSAL_BYTES_MAX = 16_777_216  # The beginning of a file; of Parquet, whose columns stand at its end, all of it.
SYNC_QUERY_CHARACTERS_MAX = 20_000  # Longer queries are views of the database.
SYNC_SECONDS_BETWEEN_LOOKS = 1  # How often a process looks for syncs that are due and imports that have ended.
SYNC_HELD_SECONDS = 60  # A run whose process said nothing for so long was lost, and is begun again.
ALERTS_WAITING_MAX = 1_000  # Alerts of one process that wait to be sent; further ones are told in the log.
SYNC_ALERT_SECONDS_MAX = 10  # A webhook or mail server that answers later is told of in the log.
SYNC_QUERY_SECONDS_MAX = 10_800  # Three hours: a query that takes longer reads by a cursor, or from a view.
SYNCS_READ_AT_ONCE_MAX = 4  # Sources that one process reads at the same moment; further runs wait.
SYNCS_READ_PER_ORGANIZATION_MAX = 2  # Of these; the others stay for other organizations.
BEGINNINGS_AT_ONCE_MAX = 6  # Sources whose first rows are read at the same moment; each may hold a thread for long.
BEGINNINGS_PER_ORGANIZATION_MAX = 2  # Of these; the others stay for other organizations.
BEGINNING_SECONDS_MAX = 20  # What of a file came in so long is its beginning; who asks for it waits.
SYNC_EMAILS_MAX = 20  # Who must hear of a failure; more people read a list.
