"""Limits of events, each with its unit and its reason."""

EVENTS_PER_REQUEST_MAX = 50_000  # All events of a request are in memory, at about 700 bytes each, and one commit.
EVENTS_BODY_BYTES_MAX = 33_554_432  # The bytes of a body of events, decompressed. Send more as several requests.
EVENTS_BODY_SHARED_BYTES_MAX = 131_072  # Bodies up to this size share one commit. 300 events fit, read in 3 ms.
PROPERTIES_PER_EVENT_MAX = 500  # Properties of one event, on all levels. An app that sends more uses ids as names.
LEVELS_PER_PROPERTY_MAX = 16  # Readers of JSON recurse. Apps nest three levels.
EVENT_MERGE_SECONDS_BETWEEN_POLLS = 60  # How often a server checks for small blocks of the event log.
