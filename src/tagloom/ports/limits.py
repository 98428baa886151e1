"""Limits of what a store raises, each with its unit and its reason."""

TRIBES_PER_SPACE_MAX = 5_000  # Every decision evaluates each of them.
TAGS_PER_ENVIRONMENT_MAX = 1_000_000  # The catalogue is in memory: about 600 bytes a tag.
EXPIRIES_PER_RUN_MAX = 10_000  # Expiries that one batch removes: a few hundred milliseconds for other writers.
REJECTED_PER_RECEIPT_MAX = 1_000  # Lines listed in a receipt. rejected_count is always exact.
TAGS_PREVIEWED_MAX = 100  # Tags listed in a preview. The number of all of them is exact.
VERSIONS_NAMED_MAX = 100  # Versions listed as the cause of conflicts.
TRIBES_PREVIEWED_MAX = 500  # Tribes counted before and after, in a preview. Other writers wait meanwhile.
EXPORT_PEOPLE_PER_PART = 65_536  # One chunk at a time is in memory.
IDEMPOTENCY_DAYS = 7  # Retries come within hours. A week covers a long weekend.
CONTROL_SECONDS_MAX = 5  # One control-plane query. They are short; later, the database counts as away.
SECONDS_BETWEEN_READS_OF_TRIBES = 1  # The longest delay until a process sees another's change to a tribe or space.
SESSIONS_PER_ACCOUNT_MAX = 50  # A new session deletes the oldest one.
TEAMMATES_PER_ORGANIZATION_MAX = 2_000  # With invitations; listed on one page.
MAPPINGS_PER_SPACE_MAX = 200  # Listed on one page.
VERSIONS_PER_MAPPING_MAX = 1_000  # Old versions stay, so that an import can name the one it used.
IMPORT_BYTES_MAX = 68_719_476_736  # 64 GiB, as for a bulk body: more than 100 M rows.
IMPORT_SHARE_REMOVED_DEFAULT = 20  # Percent of the taggings below the prefix that a run can remove without approval.
SYNCS_PER_ENVIRONMENT_MAX = 200  # Listed on one page.
