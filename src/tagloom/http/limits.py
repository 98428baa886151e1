"""Limits of HTTP, each with its unit and its reason."""

CHARACTERS_PER_SEARCH_MAX = 256  # No id or tag is longer.
IDEMPOTENCY_KEY_CHARACTERS_MAX = 255  # The draft draft-ietf-httpapi-idempotency-key-header sets no limit.
HEALTH_CHECK_SECONDS_MAX = 2  # A database that answers later counts as away; load balancers wait 5 to 10 s.
WAIT_FOR_VERSION_SECONDS_MAX = 10  # `at_least` waits so long, then answers version-not-reached.
CHARACTERS_PER_CURSOR_MAX = 1_536  # The longest id or tag takes 1,400 in base64.
ADDRESS_BYTES_MAX = 32_768  # The longest id, tag and cursor, percent-encoded, take 8 kB.
HEADER_BYTES_MAX = 65_536  # All headers of one request together.
DECISION_BODY_BYTES_MAX = 8_192  # One id, every character of it escaped, takes 3 kB.
REQUESTS_PER_RUN_MAX = 64  # Small requests for one environment that one thread answers together: a few ms.
UPLOADS_AT_ONCE_MAX = 12  # Bulk bodies that one process reads at once; others wait their turn.
UPLOADS_PER_ORGANIZATION_MAX = 4  # Of these; the others stay for other organizations.
UPLOADS_PER_TOKEN_MAX = 3  # Of these; one job leaves room for another of its organization.
UPLOAD_SECONDS_WAITING_MAX = 60  # A bulk body waits so long for a place, then is refused with Retry-After.
EXPORTS_AT_ONCE_MAX = 16  # Streamed answers at the same moment in one process; further ones wait their turn.
EXPORTS_PER_ORGANIZATION_MAX = 6  # Of these; the others stay for other organizations.
EXPORT_IDLE_SECONDS_MAX = 60  # Whoever takes nothing of a streamed answer for so long is gone.
UPLOAD_CHUNKS_HELD_MAX = 16  # 4 MiB of a body wait for the reader; then the sender is made to wait.
UPLOAD_FIELD_BYTES_MAX = 65_536  # One field beside the file of an upload; the options as JSON have some hundreds.
EVENT_SECONDS_BETWEEN_LOOKS = 1  # How often an import that somebody watches is looked at, however many watch it.
EVENT_SECONDS_BETWEEN_MAX = 15  # Proxies close what says nothing for thirty.
STREAM_SECONDS_BETWEEN_CHECKS = 3  # Of an answer that goes on, whether its token still holds.
EVENT_STREAM_SECONDS_MAX = 300  # Then a caller asks again, with a token that still holds.
EVENT_STREAMS_AT_ONCE_MAX = 1_000  # Connections of one process that wait for events, some kilobytes each.
LINGER_SECONDS_MAX = 5  # A sender whose body was refused goes on so long at most; then its connection is closed.
