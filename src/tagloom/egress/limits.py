"""Limits of calls that leave the machine, each with its unit and its reason."""

URL_FILES_MAX = 1_000  # Files that one glob of an address may match; join more of them where they are written.
FETCH_CONNECT_SECONDS_MAX = 10  # A host that takes longer to accept a connection counts as unreachable.
FETCH_SILENCE_SECONDS_MAX = 60  # The time without a byte after which a fetch is cancelled.
FETCH_SECONDS_MAX = 21_600  # Six hours: 64 GiB at 3 MiB/s; a slower transfer would occupy a fetcher for nothing.
FETCH_REDIRECTS_MAX = 5  # Of an address by HTTPS; each target is checked like the first address.
EGRESS_SECONDS_MAX = 5  # One short call to another machine, such as an identity provider, with all its parts.
EGRESS_WAITING_MAX = 4  # Calls that wait while another goes to the same machine; further ones fail at once.
EGRESS_FAILURE_SECONDS = 5  # A machine that did not answer is not called again for so long.
EGRESS_DESTINATIONS_REMEMBERED_MAX = 1_000  # Machines whose calls are counted; some hundred bytes each.
PROVIDER_BYTES_MAX = 1_048_576  # One answer of an identity provider; real ones have some kilobytes.
