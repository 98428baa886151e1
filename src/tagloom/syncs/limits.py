"""Limits of syncs, each with its unit and its reason."""

PROPOSAL_BYTES_MAX = 16_777_216  # Bytes read for a proposal. A Parquet file must fit, as its columns are at its end.
SYNC_QUERY_CHARACTERS_MAX = 20_000  # Longer queries belong in a view of the database.
SYNC_SECONDS_BETWEEN_POLLS = 1  # How often a process checks for syncs that are due and imports that have ended.
SYNC_HELD_SECONDS = 60  # If a process does not renew its lease of a run for this time, another process begins the run.
SYNC_QUERY_SECONDS_MAX = 10_800  # Three hours. A longer query should use a cursor or a view.
SYNCS_READ_AT_ONCE_MAX = 4  # Sources that one process reads at the same moment. Further runs wait.
SYNCS_READ_PER_ORGANIZATION_MAX = 2  # Sources of one organization among these. The rest is for other organizations.
BEGINNINGS_AT_ONCE_MAX = 6  # Sources whose first rows are read at the same moment. Each may use a thread for long.
BEGINNINGS_PER_ORGANIZATION_MAX = 2  # Sources of one organization among these. The rest is for other organizations.
BEGINNING_SECONDS_MAX = 20  # The time for which the first rows of a source are read. A person waits for the result.
