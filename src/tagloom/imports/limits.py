"""Limits of imports, each with its unit and its reason."""

PROPOSAL_ROWS_MAX = 1_000  # Rows that mapping inference reads in some milliseconds. They hold every usual value.
PROPOSAL_ROWS_READ = 10  # The number of rows for which mapping inference shows the result.
IMPORT_ROWS_PER_STEP = 10_000_000  # A crash repeats some seconds of work. Each step rewrites most chunks.
IMPORT_REJECTED_PER_STEP_MAX = 100_000  # Rejected lines that each step stores, some 10 bytes each. The count is exact.
IMPORT_LEASE_SECONDS = 30  # If a worker dies, another worker continues after this time.
IMPORT_ATTEMPTS_MAX = 20  # Failed attempts at one step, in 2.5 minutes. Then the import fails with the reason.
IMPORT_SECONDS_BETWEEN_POLLS = 1  # The time between two checks of an idle process for an import that waits.
IMPORT_PLANS_IN_A_ROW_MAX = 3  # If other writers make this many plans outdated, the import waits for an approval.
FETCHES_AT_ONCE_MAX = 2  # The files that one process fetches at the same time. More files wait.
UPLOADS_KEPT_MAX = 200  # The files of one environment that are stored in the data directory at the same time.
UPLOAD_DAYS_KEPT = 30  # After this time the file is deleted. Its changes stay in the history.
