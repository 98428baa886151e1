"""Limits of one serving process, each with its unit and its reason."""

BODY_IDLE_SECONDS_MAX = 30  # A request fails if no byte of its body arrives for so long.
BODY_SECONDS_SPARE = 60  # A body may be slower than the minimum rate for so long in all.
BODY_BYTES_PER_SECOND_MIN = 8_192  # The minimum rate of a body. The worst mobile networks are faster.
THREADS_AT_ONCE_MAX = 64  # Requests in one process that compute or wait for the database. Further ones wait.
THREADS_PER_ORGANIZATION_MAX = 16  # Of THREADS_AT_ONCE_MAX, so that one organization cannot delay all others.
UPLOAD_FIELDS_MAX = 20  # Fields besides the file of an upload.
HEADER_BYTES_MAX = 65_536  # All headers of one request together.
UPLOADS_AT_ONCE_MAX = 12  # Bulk bodies that one process reads at once. Further ones wait.
UPLOADS_PER_ORGANIZATION_MAX = 4  # Of UPLOADS_AT_ONCE_MAX. The rest is for other organizations.
UPLOADS_PER_TOKEN_MAX = 3  # Of UPLOADS_PER_ORGANIZATION_MAX, for one token or teammate. The rest is for others.
UPLOAD_SECONDS_WAITING_MAX = 60  # A bulk body waits so long for a place, then is rejected with Retry-After.
UPLOAD_CHUNKS_HELD_MAX = 16  # 4 MiB of a body wait for the reader; then the server stops receiving.
UPLOAD_FIELD_BYTES_MAX = 65_536  # One field besides the file of an upload. The options as JSON have some hundreds.
