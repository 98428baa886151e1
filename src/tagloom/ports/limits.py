"""Limits of what a store raises, each with its unit and its reason."""

TRIBES_PER_SPACE_MAX = 5_000  # Every decision evaluates all tribes of the space.
TAGS_PER_ENVIRONMENT_MAX = 1_000_000  # The catalogue is in memory. A tag takes about 600 bytes.
EXPIRIES_PER_RUN_MAX = 10_000  # Expiries that one batch removes. Other writers wait a few hundred milliseconds.
STARTS_PER_RUN_MAX = 10_000  # Starts of taggings that one batch carries out, for the same reason.
REJECTED_PER_RECEIPT_MAX = 1_000  # Lines that a receipt lists. rejected_count is always exact.
TAGS_PREVIEWED_MAX = 100  # Tags that a preview lists. The number of all changed tags is exact.
VERSIONS_NAMED_MAX = 100  # Versions that a receipt lists as the cause of conflicts.
TRIBES_PREVIEWED_MAX = 500  # Tribes that a preview counts before and after the write. Other writers wait for this.
EXPORT_PEOPLE_PER_PART = 65_536  # The people of one chunk of an export. One chunk at a time is in memory.
IDEMPOTENCY_DAYS = 7  # Retries come within hours. A week covers a long weekend.
CONTROL_SECONDS_MAX = 5  # One query of the control plane. If it takes longer, the database counts as unavailable.
SECONDS_BETWEEN_READS_OF_TRIBES = 1  # The longest delay until a change of a tribe or space is seen by all processes.
SESSIONS_PER_ACCOUNT_MAX = 50  # A new session deletes the oldest one.
TEAMMATES_PER_ORGANIZATION_MAX = 2_000  # Teammates and invitations. One page lists all of them.
MAPPINGS_PER_SPACE_MAX = 200  # One page lists all mappings.
VERSIONS_PER_MAPPING_MAX = 1_000  # Old versions stay, so that an import can name the version that it used.
IMPORT_BYTES_MAX = 68_719_476_736  # 64 GiB, as for a bulk body: more than 100 M rows.
IMPORT_SHARE_REMOVED_DEFAULT = 20  # Percent of the taggings below the prefix that a run can remove without approval.
SYNCS_PER_ENVIRONMENT_MAX = 200  # One page lists all syncs.
DELIVERIES_PER_ENVIRONMENT_MAX = 100  # Each reads all new events. A team has one or two.
EVENT_SOURCES_PER_ENVIRONMENT_MAX = 100  # One page lists all event sources. An organization has about ten apps.
IDENTITY_SECRETS_PER_SOURCE_MAX = 2  # The one in use, and the one that replaces it.
REJECTED_MESSAGES_PER_SOURCE_MAX = 1_000  # The newest ones. A developer reads some of them.
PEOPLE_PER_DELETION_MAX = 5_000  # Segment has the same limit. Other writers wait while these people are erased.
PEOPLE_SUPPRESSED_MAX = 1_000_000  # Of one environment. The list is in memory, 12 bytes per person.
EVENT_BLOCKS_PER_MERGE_MIN = 8  # Adjacent blocks of the event log. A merge of fewer would save little.
