"""Limits of HTTP, each with its unit and its reason."""

CHARACTERS_PER_SEARCH_MAX = 256  # No id or tag is longer.
IDEMPOTENCY_KEY_CHARACTERS_MAX = 255  # The draft draft-ietf-httpapi-idempotency-key-header sets no limit.
HEALTH_CHECK_SECONDS_MAX = 2  # A database that answers later counts as unavailable. Load balancers wait 5 to 10 s.
WAIT_FOR_VERSION_SECONDS_MAX = 10  # `at_least` waits so long, then the answer is version-not-reached.
CHARACTERS_PER_CURSOR_MAX = 1_536  # The longest id or tag takes 1,400 characters in base64.
ADDRESS_BYTES_MAX = 32_768  # The longest id, tag and cursor, percent-encoded, take 8 kB.
DECISION_BODY_BYTES_MAX = 8_192  # One id, every character of it escaped, takes 3 kB.
REQUESTS_PER_RUN_MAX = 64  # Small requests for one environment that one thread answers together: a few ms.
EXPORTS_AT_ONCE_MAX = 16  # Streamed answers at the same moment in one process. Further ones wait.
EXPORTS_PER_ORGANIZATION_MAX = 6  # Of EXPORTS_AT_ONCE_MAX. The rest is for other organizations.
EXPORT_IDLE_SECONDS_MAX = 60  # The server disconnects a client that reads nothing of a streamed answer for so long.
EVENT_SECONDS_BETWEEN_POLLS = 1  # The seconds between two reads of a watched import, with any number of watchers.
EVENT_SECONDS_BETWEEN_MAX = 15  # Proxies close a connection without data after thirty seconds.
STREAM_SECONDS_BETWEEN_CHECKS = 3  # The seconds between two checks of the token of a long answer.
EVENT_STREAM_SECONDS_MAX = 300  # Then the client must connect again, with a valid token.
EVENT_STREAMS_AT_ONCE_MAX = 1_000  # Connections of one process that wait for events, some kilobytes each.
LINGER_SECONDS_MAX = 5  # The server receives a refused body for so long at most, then closes the connection.
CHARACTERS_PER_CONTEXT_PARAMETER_MAX = 4_000  # Proxies accept an address of 8 kB, in which each quote takes 3 bytes.
