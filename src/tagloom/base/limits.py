"""Limits that several packages use, each with its unit and its reason."""

CHARACTERS_PER_NAME_MAX = 120  # Names of tribes, spaces and tokens are shown in one line.
CHARACTERS_PER_SLUG_MAX = 64  # Ids of spaces and tribes are parts of URLs.
CHARACTERS_PER_SOURCE_MAX = 200  # A file name or a job's name.
VALUE_CHARACTERS_MAX = 200  # A rejected line or a problem shows so much of a wrong value.
PAGE_ITEMS_DEFAULT = 100  # A little more than one screen.
PAGE_ITEMS_MAX = 1_000  # Use an export for larger reads.
STOP_SECONDS_DEFAULT = 15  # A stopping server waits so long for its requests, unless TAGLOOM_STOP_SECONDS is set.
STOP_SECONDS_MORE_MAX = 10  # Then it waits so long for the rest, and exits: many service managers kill after 30 s.
UPLOAD_CHUNK_BYTES = 262_144  # The event loop passes so much to the reading thread at once.
