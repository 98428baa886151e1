"""The identity provider of teammates."""

import msgspec


class IdentityProvider(msgspec.Struct, frozen=True):
    """The OpenID Connect provider that teammates can sign in with, and Tagloom's client there."""

    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Returns the fields without the secret."""
        return f"IdentityProvider({self.issuer!r}, {self.client_id!r})"
