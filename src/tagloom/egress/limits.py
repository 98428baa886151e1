"""Limits of calls that leave the machine, each with its unit and its reason."""

URL_FILES_MAX = 1_000  # Files that one glob of an address may match. If there are more, join them before the fetch.
FETCH_CONNECT_SECONDS_MAX = 10  # A host that takes longer to accept a connection counts as unreachable.
FETCH_SILENCE_SECONDS_MAX = 60  # The time without a byte after which a fetch is cancelled.
FETCH_SECONDS_MAX = 21_600  # Six hours: 64 GiB at 3 MiB/s. A slower transfer would occupy a fetcher for too long.
FETCH_REDIRECTS_MAX = 5  # The redirects of one fetch by HTTP. Each target is checked like the first address.
EGRESS_SECONDS_MAX = 5  # One short call to another machine, such as an identity provider, with all its parts.
EGRESS_WAITING_MAX = 4  # Calls that wait for an earlier call to the same machine. Further calls fail at once.
EGRESS_FAILURE_SECONDS = 5  # After a failure, a machine is not called again for this time.
EGRESS_DESTINATIONS_REMEMBERED_MAX = 1_000  # Machines whose calls are counted. Each takes some hundred bytes.
PROVIDER_BYTES_MAX = 1_048_576  # One answer of an identity provider. Usual answers have some kilobytes.
