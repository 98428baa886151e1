"""Limits of event sources and of tracking messages, each with its unit and its reason."""

TRACKING_MESSAGE_BYTES_MAX = 32_768  # One message. Segment has the same limit.
TRACKING_BODY_BYTES_MAX = 512_000  # A body from a browser or a phone, decompressed. Client libraries send up to 500 kB.
TRACKING_SERVER_BODY_BYTES_MAX = 4_194_304  # A body that is sent with a secret key, decompressed.
TRACKING_MESSAGES_PER_BODY_MAX = 20_000  # A body of small messages. All are in memory, and they are one commit.
ORIGINS_PER_SOURCE_MAX = 50  # The origins of the pages of one app. They are compared at every request.
EVENT_NAMES_PER_SOURCE_MAX = 1_000  # Event names with a type of their own. A tracking plan has about a hundred names.
CHARACTERS_PER_EVENT_NAME_MAX = 256  # An event name in the table of a source.
IGNORED_PROPERTIES_PER_SOURCE_MAX = 100  # Names of properties that a source does not record.
CLOCK_SECONDS_OFF_MAX = 60  # A message that arrives later than this after it was sent comes from a wrong clock.
EVENT_SOURCE_SECONDS_CACHED_MAX = 5  # After this, a changed source or a revoked key has effect in every process.
EVENT_SOURCES_CACHED_MAX = 10_000  # The event sources of a process, in memory.
REJECTED_MESSAGE_CHARACTERS_MAX = 2_000  # The part of a rejected message that is stored.
REJECTED_MESSAGES_PER_BODY_MAX = 100  # Rejected messages of one body that are stored. The others have the same faults.
REJECTED_MESSAGES_WAITING_MAX = 1_000  # Rejected messages of a source that wait to be stored. The newest are kept.
REJECTED_MESSAGE_DAYS = 7  # They may contain ids of people. Then they are deleted.
REJECTED_MESSAGES_SECONDS_WAITING = 1  # Rejected messages are stored together, so that a broken app costs little.
IDENTITY_PUBLIC_KEYS_PER_SOURCE_MAX = 2  # The one in use, and the one that replaces it.
IDENTITY_PUBLIC_KEY_CHARACTERS_MAX = 1_000  # A public key in PEM. A key for ES256 has 178.
IDENTITY_TOKEN_CHARACTERS_MAX = (
    4_096  # A token with a user id. Tokens of identity providers have some hundred to 2,000.
)
IDENTITY_TOKEN_HOURS_MAX = 24  # How long a token can be valid. A stolen one works as long.
IDENTITY_TOKEN_CLOCK_SECONDS = 60  # How far the clock of the signing server may be off.
IDENTITY_TOKENS_CACHED_MAX = 10_000  # Valid tokens that are not checked again. Each takes about 300 bytes.
UNPROVEN_SECONDS_BETWEEN_SHOWN = 60  # In the mode observe, of each source and kind of fault. Others must stay visible.
USER_AGENT_CHARACTERS_MAX = 512  # The part of a user agent that is read. Browsers in apps send about 400.
USER_AGENT_NAME_CHARACTERS_MAX = 64  # The name of a browser or of an operating system. Longer ones are forged.
USER_AGENTS_CACHED_MAX = 10_000  # User agents that are not parsed again. Each takes about a kilobyte.
ACCEPT_LANGUAGE_CHARACTERS_MAX = 256  # Longer Accept-Language headers are cut.
COUNTRY_FILE_SECONDS_UNSEEN_MAX = 10  # After this, a changed country file is opened again.
