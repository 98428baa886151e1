"""Limits of accounts, each with its unit and its reason."""

TOKEN_DAYS_MAX = 3_650  # Ten years. Every token has an expiry.
TOKENS_PER_ORGANIZATION_MAX = 1_000  # One page lists all tokens.
TOKEN_SECONDS_CACHED_MAX = 2  # A revoked token works this long at most in other processes. A decision needs no query.
TOKEN_SECONDS_BETWEEN_TOUCHES = 60  # Storing the time of the last use is a write. One write a minute is enough.
TOKENS_CACHED_MAX = 10_000  # A cached token takes about 1 kB.
CHARACTERS_PER_PASSWORD_MIN = 12  # A hash of this cost protects so many characters against guessing for years.
CHARACTERS_PER_PASSWORD_MAX = 256  # Enough for a sentence. A longer password only gives the hash function more to read.
CHARACTERS_PER_AGENT_MAX = 200  # Enough to recognize a browser in a list of sessions.
PASSWORD_HASH_KIB = 65_536  # Argon2id with 64 MiB, as RFC 9106 advises if memory is scarce; see ADR 0013.
PASSWORD_HASH_PASSES = 3  # With 64 MiB: 120 ms of one core, eight times the minimum that OWASP recommends.
PASSWORD_HASH_LANES = 1  # A lane is a thread. PASSWORD_HASHES_AT_ONCE_MAX bounds the threads instead.
PASSWORD_HASHES_AT_ONCE_MAX = 2  # Hashing uses at most 128 MiB.
PASSWORD_HASHES_WAITING_MAX = 16  # Further attempts fail at once with a time to wait, and block no thread.
ATTEMPTS_PER_ACCOUNT_AND_ADDRESS_MAX = 10  # Failures in one window. Users who do not remember stop earlier.
ATTEMPTS_PER_ACCOUNT_MAX = 20  # From all unfamiliar addresses together. Then attempts are delayed, but never blocked.
ATTEMPT_SECONDS_BETWEEN = 3  # The time between delayed attempts: 300 guesses in a window, which find no good password.
ATTEMPTS_PER_ADDRESS_MAX = 100  # All people of an office may share one address.
ATTEMPT_WINDOW_SECONDS = 900  # The count starts again a quarter of an hour after the first failure.
ATTEMPTS_REMEMBERED_MAX = 50_000  # About 10 MB; above it, the oldest window is deleted.
SESSION_SECONDS_IDLE_MAX = 259_200  # Three days: longer than a weekend, and short for a lost laptop.
SESSION_SECONDS_MAX = 2_592_000  # Thirty days after signing in, a teammate must sign in again.
SESSION_SECONDS_BETWEEN_TOUCHES = 60  # Storing when a session was last seen is a write. One write a minute is enough.
INVITATION_DAYS = 7  # After a week, a teammate needs a new link.
RESET_HOURS = 24  # People use a link to a new password at once or never.
INVITATIONS_PER_REQUEST_MAX = 200  # Enough for a department that is pasted from a spreadsheet.
PROVIDER_SECONDS_CACHED = 3_600  # An identity provider's description and keys; new keys are fetched when needed.
