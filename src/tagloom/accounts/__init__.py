"""Use cases about those who sign in: access tokens, sessions, teammates, passwords and OpenID Connect."""
