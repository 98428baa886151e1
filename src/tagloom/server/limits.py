"""Limits of one serving process, each with its unit and its reason."""

BODY_IDLE_SECONDS_MAX = 30  # A request fails if no byte of its body arrives for so long.
BODY_SECONDS_SPARE = 60  # A body may be slower than the minimum rate for so long in all.
BODY_BYTES_PER_SECOND_MIN = 8_192  # The minimum rate of a body. The worst mobile networks are faster.
THREADS_AT_ONCE_MAX = 64  # Requests in one process that compute or wait for the database. Further ones wait.
THREADS_PER_ORGANIZATION_MAX = 16  # Of THREADS_AT_ONCE_MAX, so that one organization cannot delay all others.
UPLOAD_FIELDS_MAX = 20  # Fields besides the file of an upload.
