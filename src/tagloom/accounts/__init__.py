"""Use cases of accounts: access tokens, sessions, teammates, passwords and OpenID Connect."""
