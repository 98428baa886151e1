"""The states of tags and attributes that the log stores, before and after a version."""

import msgspec

from tagloom.engine.storage import Row


class RowState(msgspec.Struct, frozen=True):
    """The state of a dictionary row that the log stores, before and after a version."""

    path: str
    is_live: bool
    description: str
    exclusive: bool
    owner: str
    ttl_seconds: int
    expires_at: int


def row_state(row: Row) -> str:
    """Returns a row's state as the log stores it."""
    kept = RowState(row.path, row.is_live, row.description, row.exclusive, row.owner, row.ttl_seconds, row.expires_at)
    return msgspec.json.encode(kept).decode()


def row_from(identity: int, state: str) -> Row:
    """Returns the row of a logged state."""
    kept = msgspec.json.decode(state, type=RowState)
    said = kept.path, kept.is_live, kept.description, kept.exclusive, kept.owner, kept.ttl_seconds, kept.expires_at
    return Row(identity, "tag", *said)


class AttributeState(msgspec.Struct, frozen=True):
    """The state of an attribute that the log stores, before and after a version."""

    name: str
    is_live: bool
    description: str
    type: str


def attribute_state(row: Row) -> str:
    """Returns the state of an attribute as the log stores it."""
    return msgspec.json.encode(AttributeState(row.path, row.is_live, row.description, row.type)).decode()


def attribute_from(identity: int, state: str) -> Row:
    """Returns the attribute of a logged state."""
    kept = msgspec.json.decode(state, type=AttributeState)
    return Row(identity, "attribute", kept.name, kept.is_live, kept.description, False, type=kept.type)
