"""Limits of imports, each with its unit and its reason."""

PROPOSAL_ROWS_MAX = 1_000  # Rows that a proposal looks at: some milliseconds, and every usual value is among them.
PROPOSAL_ROWS_READ = 10  # Rows shown as they would be read.
IMPORT_ROWS_PER_STEP = 10_000_000  # Some seconds of work that a crash repeats; each step rewrites most chunks.
IMPORT_REJECTED_PER_STEP_MAX = 100_000  # Rejected lines kept of each step, some 10 bytes each; the count is exact.
IMPORT_LEASE_SECONDS = 30  # Another process goes on so long after the one that worked was lost.
IMPORT_ATTEMPTS_MAX = 20  # In a row without a further step: two minutes and a half; then the import fails and says why.
IMPORT_SECONDS_BETWEEN_LOOKS = 1  # How often an idle process looks for an import that waits.
IMPORT_PLANS_IN_A_ROW_MAX = 3  # Plans that other writers overtake before the import asks what to do.
FETCHES_AT_ONCE_MAX = 2  # Files that one process fetches from elsewhere at the same moment; further ones wait.
UPLOADS_KEPT_MAX = 200  # Files of one environment that lie in the data directory at once.
UPLOAD_DAYS_KEPT = 30  # Then the file goes; the batch that it made stays in the log.
