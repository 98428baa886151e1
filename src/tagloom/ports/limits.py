"""Limits of what a store raises, each with its unit and its reason."""

TRIBES_PER_SPACE_MAX = 5_000  # Every decision looks at each of them.
TAGS_PER_ENVIRONMENT_MAX = 1_000_000  # The catalogue lives in memory: about 600 bytes a tag.
EXPIRIES_PER_RUN_MAX = 10_000  # Ends that one batch of a sweep takes: some hundred milliseconds of other writers' time.
REJECTED_PER_RECEIPT_MAX = 1_000  # Lines listed in a receipt; rejected_count is exact beyond it.
TAGS_PREVIEWED_MAX = 100  # Tags listed in what a write would do; the number of all of them is exact.
VERSIONS_NAMED_MAX = 100  # Versions listed that touched what an undo leaves alone.
TRIBES_PREVIEWED_MAX = 500  # Tribes counted before and after; a write waits for it with all others behind it.
EXPORT_PEOPLE_PER_PART = 65_536  # One chunk at a time is held while streaming.
IDEMPOTENCY_DAYS = 7  # Retries come within hours; a week covers a long weekend.
CONTROL_SECONDS_MAX = 5  # One answer to the control plane, whose questions are short; later the database is away.
SECONDS_BETWEEN_READS_OF_TRIBES = 1  # Another process's change to a tribe or space is seen so late at most.
SESSIONS_PER_ACCOUNT_MAX = 50  # The oldest ends when a further one begins.
TEAMMATES_PER_ORGANIZATION_MAX = 2_000  # With invitations; listed on one page.
MAPPINGS_PER_SPACE_MAX = 200  # Listed on one page.
VERSIONS_PER_MAPPING_MAX = 1_000  # Older forms stay, so that an import can say what it was read by.
IMPORT_BYTES_MAX = 68_719_476_736  # 64 GiB, as a bulk body has them: 100 M rows and far more.
IMPORT_SHARE_REMOVED_DEFAULT = 20  # Percent of the taggings under the prefix that a run takes without being asked.
SYNCS_PER_ENVIRONMENT_MAX = 200  # Listed on one page.
