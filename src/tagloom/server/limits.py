"""Limits of one serving process, each with its unit and its reason."""

BODY_IDLE_SECONDS_MAX = 30  # Nothing of a body may come for so long; then its sender is gone.
BODY_SECONDS_SPARE = 60  # A body may be slower than the least rate for so long in all.
BODY_BYTES_PER_SECOND_MIN = 8_192  # The least rate of a body; the worst mobile networks are faster.
THREADS_AT_ONCE_MAX = 64  # Requests that compute or wait for the database in one process; further ones wait their turn.
THREADS_PER_ORGANIZATION_MAX = 16  # Of these, so that one organization's wait is never everybody's.
UPLOAD_FIELDS_MAX = 20  # Fields beside the file of an upload.
