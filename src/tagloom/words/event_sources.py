"""Event sources: the apps that send events with client libraries, and the messages of theirs that were rejected."""

from collections.abc import Collection

import msgspec


class EventSourceDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of an event source.

    `origins` are the origins of web pages, such as `https://shop.example`, that can use the write key. If it is empty,
    all pages can. `event_types` has the types of some event names, for which the usual rule is not used. Properties
    named in `ignored_properties` are not recorded. `identity_public_keys` are keys in PEM that check tokens with which
    the app proves its user ids. `derives_attributes` tells that the context of messages sets built-in attributes.
    """

    name: str
    origins: tuple[str, ...] = ()
    event_types: dict[str, str] = {}
    ignored_properties: tuple[str, ...] = ()
    identity_public_keys: tuple[str, ...] = ()
    derives_attributes: bool = True


class IdentitySecret(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of secrets with which the server of an app proves user ids. The secrets are shown only when it is new."""

    id: str
    created_at: str


class NewIdentitySecret(IdentitySecret, frozen=True, kw_only=True):
    """A new identity secret: `hmac_secret` makes HMACs of user ids, and `token_secret` signs tokens (HS256).

    They are two texts because the HMAC of a user id that looks like a token would be a valid signature of that token.
    """

    hmac_secret: str
    token_secret: str

    def __repr__(self) -> str:
        """Returns the id only, because values are printed with errors."""
        return f"NewIdentitySecret({self.id!r})"

    def shown(self) -> IdentitySecret:
        """Returns the identity secret without the secrets."""
        return IdentitySecret(id=self.id, created_at=self.created_at)


class IdentityKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that check the proofs of one event source. Public keys are in PEM."""

    hmac_secrets: tuple[str, ...] = ()
    token_secrets: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Returns the numbers of keys only, because values are printed with errors."""
        counts = len(self.hmac_secrets), len(self.token_secrets), len(self.public_keys)
        return f"IdentityKeys{counts}"


class EventSource(EventSourceDraft, frozen=True, kw_only=True):
    """An event source of one environment. `revision` counts its saves from 1.

    The write key is no secret: pages and apps contain it. It can only send events. A server can use the secret key
    instead, which is stored as a hash. `identity_secrets` has no secrets.
    """

    id: str
    write_key: str
    created_at: str
    has_secret_key: bool = False
    revision: int = 1
    identity_secrets: tuple[IdentitySecret, ...] = ()


class RejectedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of an event source that was not recorded. Ids ascend; the id is 0 before the message is stored.

    `reason` is the type of a problem, and `detail` its sentence. `message` is the beginning of what was sent. `ids` are
    the ids of people in it.
    """

    source: str
    at: str
    reason: str
    detail: str
    message: str
    ids: tuple[str, ...] = ()
    id: int = 0

    def is_about(self, people: Collection[str]) -> bool:
        """Returns whether the message has one of these ids. A message that is no JSON is searched as a text."""
        if self.ids:
            return not frozenset(people).isdisjoint(self.ids)
        return any(person in self.message for person in people)


def actor_name(source: str) -> str:
    """Returns the name that an event source has as the actor of the versions with its events.

    >>> actor_name("web")
    'source web'
    """
    return f"source {source}"
