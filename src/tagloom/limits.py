"""Every bound of Tagloom, each with its unit and its reason. `GET /v2/limits` serves them."""

LEVELS_PER_TAG_MAX = 3  # The console's tree, and every CRM we read, needs no more.
CHARACTERS_PER_LEVEL_MAX = 64  # Fits a chip; longer names are descriptions.
CHARACTERS_PER_ID_MAX = 256  # The longest key of the identity providers we know is 255.
CHARACTERS_PER_DESCRIPTION_MAX = 2_000  # A paragraph, not a document.
CHARACTERS_PER_NAME_MAX = 120  # Names of tribes, spaces and tokens are shown in one line.
CHARACTERS_PER_SLUG_MAX = 64  # Ids of spaces and tribes stand in addresses.
CHARACTERS_PER_SOURCE_MAX = 200  # A file name or a job's name.
CHARACTERS_PER_SEARCH_MAX = 256  # No id or tag is longer than what one searches.

NODES_PER_RULE_MAX = 1_000  # A rule of a thousand filters still counts in well under a second.
LEVELS_PER_RULE_MAX = 16  # Recursion stays shallow; people nest three deep.
REFERENCES_DEEP_MAX = 8  # A tribe that names a tribe that names a tribe …: 8 x 16 levels still fit the stack.
NODES_REACHED_MAX = 5_000  # Nodes with those of all tribes referred to, again for each reference: a millisecond.
RULE_BYTES_MAX = 262_144  # A thousand nodes with the longest tags.
TRIBES_PER_SPACE_MAX = 5_000  # Every decision looks at each of them.
TRIBES_PER_OVERLAP_MAX = 12  # 2**12 regions is the most that one picture or table can say.

DAYS_PER_TREND_MAX = 366  # A year and its leap day; a longer line says nothing that a year does not.
TAGS_PER_MAKE_UP_MAX = 1_000  # One page; what fewer people bear says little about a tribe.
VARIABLES_PER_EXAMINATION_MAX = 16  # 65,536 combinations as bits of one number: about 2 us a node of the rule.

PEOPLE_PER_ENVIRONMENT_MAX = 4_294_967_295  # Ordinals are uint32.
ORDINALS_PER_CHUNK = 65_536  # One roaring container.
TAGS_PER_ENVIRONMENT_MAX = 1_000_000  # The catalogue lives in memory: about 200 bytes a tag.
TTL_DAYS_MAX = 3_650  # Ten years: what is to last longer has no end.
ENDS_PER_SWEEP_MAX = 10_000  # Ends that one batch of a sweep takes: some hundred milliseconds of other writers' time.
SWEEP_SECONDS_BETWEEN_LOOKS = 5  # How often a server looks for what has ended; so late a tagging ends at most.
RETENTION_DAYS_MIN = 1  # Who makes a mistake finds it within a day, and can undo it.
RETENTION_DAYS_MAX = 36_500  # A hundred years; what is to be kept longer has no retention.
COMPACTION_CHANGES_MAX = 4_000  # Of the log, that one transaction of a compaction reads: 50 ms of other writers' time.
COMPACTION_FORESEEN_MAX = 200_000  # Changes that are read to tell what a compaction would free; beyond, it is a part.
COMPACTION_SECONDS_BETWEEN_LOOKS = 60  # How often a server looks for history that is older than its retention.
COMPACTION_STEPS_PER_RETENTION = 100  # History grows so many parts older than its retention before it is compacted.
TAGS_PER_LINE_MAX = 10_000  # One person's tags in one line of a body.
ALIAS_HOPS_MAX = 16  # A path that was renamed more often than this is refused, not chased.

JSON_BODY_BYTES_MAX = 16_777_216  # Decoded in memory at once; larger bodies come as NDJSON, CSV or Parquet.
BULK_BODY_BYTES_MAX = 68_719_476_736  # 64 GiB streamed; beyond it a file belongs in several batches.
LINE_BYTES_MAX = 1_048_576  # A longer line is rejected alone, and never held whole in memory.
PART_BYTES = 16_777_216  # Bytes of a body that are parsed at once: the memory of an upload.
PARQUET_PAGE_BYTES_MAX = 268_435_456  # A page is held whole, up to three times; writers make 1 to 100 MB.
PARTS_IN_FLIGHT_MAX = 3  # Parts read ahead of the engine; more only adds memory.
REJECTED_PER_RECEIPT_MAX = 1_000  # Lines listed in a receipt; rejected_count is exact beyond it.
VALUE_CHARACTERS_MAX = 200  # What a rejected line or a problem shows of the offending value.
NEAREST_TAGS_MAX = 3  # Suggestions for an unknown tag.

PAGE_ITEMS_DEFAULT = 100  # One screen and a bit.
PAGE_ITEMS_MAX = 1_000  # Larger reads are exports.
TAGS_FORESEEN_MAX = 100  # Tags listed in what a write would do; the number of all of them is exact.
VERSIONS_PER_UNDO_MAX = 10_000  # Undone as one; a day of a job that writes every ten seconds.
VERSIONS_NAMED_MAX = 100  # Versions listed that touched what an undo leaves alone.
TRIBES_FORESEEN_MAX = 500  # Tribes counted before and after; a write waits for it with all others behind it.
SAMPLE_PEOPLE_MAX = 10  # People shown with a preview.
EXPORT_PEOPLE_PER_PART = 65_536  # One chunk at a time is held while streaming.

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255  # RFC draft-ietf-httpapi-idempotency-key-header leaves it to us.
IDEMPOTENCY_DAYS = 7  # Retries come within hours; a week covers a long weekend.
BATCHES_PER_COMMIT_MAX = 256  # Group commit: beyond this, waiting costs more than the fsync saves.
WRITERS_WAITING_MAX = 10_000  # Beyond it a write is refused with Retry-After instead of queueing for ever.
PROBE_SECONDS_MAX = 2  # A database that answers readiness and metrics later is away; probes wait 5 to 10 s.
CONTROL_SECONDS_MAX = 5  # One answer to the control plane, whose questions are short; later the database is away.
WAIT_FOR_VERSION_SECONDS_MAX = 10  # `at_least` waits so long, then says that the version is not here yet.
INDEX_BYTES_DEFAULT = 2_147_483_648  # Bitmaps kept in memory by one process; the least recently used leave first.
TOKEN_DAYS_MAX = 3_650  # Ten years; an expiry is always set.
TOKENS_PER_ORGANIZATION_MAX = 1_000  # Listed in one page.
TOKEN_SECONDS_CACHED_MAX = 2  # A revoked token works at most so long in other processes; a decision pays no query.
TOKEN_SECONDS_BETWEEN_TOUCHES = 60  # The last-used time is a write; once a minute tells enough.
TOKENS_CACHED_MAX = 10_000  # About 1 kB each.
SECONDS_BETWEEN_READS_OF_TRIBES = 1  # Another process's change to a tribe or space is seen so late at most.

CHARACTERS_PER_EMAIL_MAX = 254  # RFC 5321 lets no path be longer.
CHARACTERS_PER_PASSWORD_MIN = 12  # What a hash of this cost protects against guessing for years.
CHARACTERS_PER_PASSWORD_MAX = 256  # A sentence; longer only feeds the hash function.
CHARACTERS_PER_AGENT_MAX = 200  # Enough of a browser's name to know it again in a list.
PASSWORD_HASH_KIB = 65_536  # Argon2id with 64 MiB, as RFC 9106 advises where memory is dear; see ADR 0013.
PASSWORD_HASH_PASSES = 3  # With 64 MiB: 120 ms of one core, eight times the least that OWASP asks for.
PASSWORD_HASH_LANES = 1  # A lane is a thread; how many hashes are computed at once is bounded below instead.
PASSWORD_HASHES_AT_ONCE_MAX = 2  # 128 MiB at most while people sign in.
PASSWORD_HASHES_WAITING_MAX = 16  # Further ones are told to wait instead of holding a thread each.
ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX = 10  # Failures in one window; who has forgotten stops earlier.
ATTEMPTS_PER_ACCOUNT_MAX = 100  # From all addresses together: guessing stays hopeless, its owner gets in elsewhere.
ATTEMPTS_PER_ADDRESS_MAX = 100  # A whole office may sit behind one address.
ATTEMPT_WINDOW_SECONDS = 900  # A quarter of an hour after the first failure the count starts again.
ATTEMPTS_REMEMBERED_MAX = 50_000  # About 10 MB; beyond it the window that began first is forgotten.
SESSION_SECONDS_IDLE_MAX = 259_200  # Three days: a weekend ends no session, a lost laptop's does end.
SESSION_SECONDS_MAX = 2_592_000  # Thirty days after signing in one signs in again.
SESSION_SECONDS_BETWEEN_TOUCHES = 60  # When a session was last seen is a write; once a minute tells enough.
SESSIONS_PER_ACCOUNT_MAX = 50  # The oldest ends when a further one begins.
INVITATION_DAYS = 7  # A link that lies in a mailbox longer is asked for again.
RESET_HOURS = 24  # A link to a new password is used at once or not at all.
INVITATIONS_PER_REQUEST_MAX = 200  # A department pasted from a spreadsheet.
TEAMMATES_PER_ORGANIZATION_MAX = 2_000  # With invitations; listed on one page.

CHARACTERS_PER_CURSOR_MAX = 1_536  # The longest id or tag in base64 takes 1,400.
ADDRESS_BYTES_MAX = 32_768  # The longest id, tag and cursor, percent-encoded, take 8 kB.
HEADER_BYTES_MAX = 65_536  # All headers of one request together.
DECISION_BODY_BYTES_MAX = 8_192  # One id, every character of it escaped, takes 3 kB.
UPLOADS_AT_ONCE_MAX = 8  # Bulk bodies read at the same moment by one process; further ones wait their turn.
EXPORTS_AT_ONCE_MAX = 16  # Streamed answers at the same moment in one process; further ones wait their turn.
UPLOAD_CHUNK_BYTES = 262_144  # What the event loop hands to the reading thread at once.
UPLOAD_CHUNKS_HELD_MAX = 16  # 4 MiB of a body wait for the reader; then the sender is made to wait.

FORM_BYTES_MAX = 1_048_576  # The largest rule as a form; files come another way.
UPLOAD_BYTES_MAX = 2_147_483_648  # A file by the browser, 2 GiB; larger ones come by the API or the command line.
UPLOAD_FIELDS_MAX = 20  # Fields beside the file of an upload.
UPLOAD_FIELD_BYTES_MAX = 65_536  # One field beside the file of an upload; the options as JSON have some hundreds.
COLUMNS_PER_MAPPING_MAX = 1_000  # The widest table of the CRMs we read has some hundreds.
MAPPINGS_PER_SPACE_MAX = 200  # Listed on one page.
VERSIONS_PER_MAPPING_MAX = 1_000  # Older forms stay, so that an import can say what it was read by.
PROPOSAL_BYTES_MAX = 16_777_216  # The beginning of a file; of Parquet, whose columns stand at its end, all of it.
PROPOSAL_ROWS_MAX = 1_000  # Rows that a proposal looks at: some milliseconds, and every usual value is among them.
PROPOSAL_ROWS_READ = 10  # Rows shown as they would be read.
IMPORT_BYTES_MAX = 68_719_476_736  # 64 GiB, as a bulk body has them: 100 M rows and far more.
IMPORT_ROWS_PER_STEP = 10_000_000  # Some seconds of work that a crash repeats; each step rewrites most chunks.
IMPORT_REJECTED_PER_STEP_MAX = 100_000  # Rejected lines kept of each step, some 10 bytes each; the count is exact.
IMPORT_LEASE_SECONDS = 30  # Another process goes on so long after the one that worked was lost.
IMPORT_ATTEMPTS_MAX = 20  # In a row without a further step: two minutes and a half; then the import fails and says why.
IMPORT_SECONDS_BETWEEN_LOOKS = 1  # How often an idle process looks for an import that waits.
IMPORT_PLANS_IN_A_ROW_MAX = 3  # Plans that other writers overtake before the import asks what to do.
IMPORT_SHARE_REMOVED_DEFAULT = 20  # Percent of the taggings under the prefix that a run takes without being asked.
URL_CHARACTERS_MAX = 2_048  # Of an address that a file is fetched from; what browsers and proxies take, too.
URL_FILES_MAX = 1_000  # Files that one glob of an address may match; more are joined where they are made.
FETCHES_AT_ONCE_MAX = 2  # Files that one process fetches from elsewhere at the same moment; further ones wait.
FETCH_CONNECT_SECONDS_MAX = 10  # A place that takes longer to answer at all is away.
FETCH_SILENCE_SECONDS_MAX = 60  # So long nothing may come of a file that is being fetched.
FETCH_SECONDS_MAX = 21_600  # Six hours: 64 GiB at 3 MiB/s; what drips slower holds a place for nothing.
FETCH_REDIRECTS_MAX = 5  # Of an address by HTTPS; each is checked as the first.
EVENT_SECONDS_BETWEEN_LOOKS = 1  # How often an import that somebody watches is looked at, however many watch it.
EVENT_SECONDS_BETWEEN_MAX = 15  # Proxies close what says nothing for thirty.
EVENT_STREAM_SECONDS_MAX = 300  # Then a caller asks again, with a token that still holds.
EVENT_STREAMS_AT_ONCE_MAX = 1_000  # Connections of one process that wait for events, some kilobytes each.
UPLOADS_KEPT_MAX = 200  # Files of one environment that lie in the data directory at once.
UPLOAD_DAYS_KEPT = 30  # Then the file goes; the batch that it made stays in the log.
PROVIDER_SECONDS_CACHED = 3_600  # An identity provider's description and keys; new keys are fetched when needed.
PROVIDER_BYTES_MAX = 1_048_576  # One answer of an identity provider; real ones have some kilobytes.
TICKET_SECONDS_MAX = 600  # A sign-in at the provider that takes longer is begun again.
FORM_FIELDS_MAX = 11_000  # Ten fields for each column of the widest file, and the rest.

SYNCS_PER_ENVIRONMENT_MAX = 200  # Listed on one page.
SYNC_QUERY_CHARACTERS_MAX = 20_000  # Longer queries are views of the database.
SYNC_SECONDS_BETWEEN_LOOKS = 1  # How often a process looks for syncs that are due and imports that have ended.
SYNC_HELD_SECONDS = 60  # A run whose process said nothing for so long was lost, and is begun again.
SYNC_ALERT_SECONDS_MAX = 10  # A webhook or mail server that answers later is told of in the log.
BEGINNINGS_AT_ONCE_MAX = 2  # Sources whose first rows are read at the same moment; each may hold a thread for long.
BEGINNING_SECONDS_MAX = 20  # What of a file came in so long is its beginning; who asks for it waits.
SYNC_EMAILS_MAX = 20  # Who must hear of a failure; more people read a list.


def all_limits() -> dict[str, int]:
    """Every bound by its name in lower case, as `GET /v2/limits` serves it."""
    return {name.lower(): value for name, value in globals().items() if name.isupper()}
