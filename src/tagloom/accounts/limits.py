"""Limits of accounts, each with its unit and its reason."""

TOKEN_DAYS_MAX = 3_650  # Ten years. Every token has an expiry.
TOKENS_PER_ORGANIZATION_MAX = 1_000  # Listed on one page.
TOKEN_SECONDS_CACHED_MAX = 2  # A revoked token works this long at most in other processes. A decision needs no query.
TOKEN_SECONDS_BETWEEN_TOUCHES = 60  # The last-used time is a write; once a minute tells enough.
TOKENS_CACHED_MAX = 10_000  # About 1 kB each.
CHARACTERS_PER_PASSWORD_MIN = 12  # What a hash of this cost protects against guessing for years.
CHARACTERS_PER_PASSWORD_MAX = 256  # A sentence; longer only feeds the hash function.
CHARACTERS_PER_AGENT_MAX = 200  # Enough of a browser's name to know it again in a list.
PASSWORD_HASH_KIB = 65_536  # Argon2id with 64 MiB, as RFC 9106 advises where memory is dear; see ADR 0013.
PASSWORD_HASH_PASSES = 3  # With 64 MiB: 120 ms of one core, eight times the least that OWASP asks for.
PASSWORD_HASH_LANES = 1  # A lane is a thread; how many hashes are computed at once is bounded below instead.
PASSWORD_HASHES_AT_ONCE_MAX = 2  # 128 MiB at most while people sign in.
PASSWORD_HASHES_WAITING_MAX = 16  # Further ones are told to wait instead of holding a thread each.
ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX = 10  # Failures in one window. Users who do not remember stop earlier.
ATTEMPTS_PER_ACCOUNT_MAX = 20  # From all unfamiliar addresses together; then they are spaced, and nobody is shut out.
ATTEMPT_SECONDS_BETWEEN = 3  # So far apart attempts are then: 300 guesses a window, which finds no good password.
ATTEMPTS_PER_ADDRESS_MAX = 100  # A whole office may sit behind one address.
ATTEMPT_WINDOW_SECONDS = 900  # A quarter of an hour after the first failure the count starts again.
ATTEMPTS_REMEMBERED_MAX = 50_000  # About 10 MB; above it, the oldest window is deleted.
SESSION_SECONDS_IDLE_MAX = 259_200  # Three days: longer than a weekend, and short for a lost laptop.
SESSION_SECONDS_MAX = 2_592_000  # Thirty days after signing in, a teammate must sign in again.
SESSION_SECONDS_BETWEEN_TOUCHES = 60  # When a session was last seen is a write; once a minute tells enough.
INVITATION_DAYS = 7  # A link that lies in a mailbox longer is asked for again.
RESET_HOURS = 24  # A link to a new password is used at once or not at all.
INVITATIONS_PER_REQUEST_MAX = 200  # A department pasted from a spreadsheet.
PROVIDER_SECONDS_CACHED = 3_600  # An identity provider's description and keys; new keys are fetched when needed.
