"""Where teammates may sign in with an account of their company."""

import msgspec


class IdentityProvider(msgspec.Struct, frozen=True):
    """Where teammates may sign in with an account of their company, and who Tagloom is there."""

    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"IdentityProvider({self.issuer!r}, {self.client_id!r})"
