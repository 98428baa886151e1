"""Limits of imports, each with its unit and its reason."""

PROPOSAL_ROWS_MAX = 1_000  # Rows that mapping inference reads: some milliseconds, and they hold every usual value.
PROPOSAL_ROWS_READ = 10  # Rows of which mapping inference shows the result.
IMPORT_ROWS_PER_STEP = 10_000_000  # Some seconds of work that a crash repeats; each step rewrites most chunks.
IMPORT_REJECTED_PER_STEP_MAX = 100_000  # Rejected lines kept of each step, some 10 bytes each; the count is exact.
IMPORT_LEASE_SECONDS = 30  # After a worker died, another one continues after so long.
IMPORT_ATTEMPTS_MAX = 20  # Failed attempts at one step, two and a half minutes; then the import fails with the reason.
IMPORT_SECONDS_BETWEEN_LOOKS = 1  # How often an idle process checks for an import that waits.
IMPORT_PLANS_IN_A_ROW_MAX = 3  # Plans that other writers make outdated before the import waits for an approval.
FETCHES_AT_ONCE_MAX = 2  # Files that one process fetches at the same moment; further ones wait.
UPLOADS_KEPT_MAX = 200  # Files of one environment that are stored in the data directory at once.
UPLOAD_DAYS_KEPT = 30  # Then the file is deleted; its changes stay in the history.
