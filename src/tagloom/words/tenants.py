"""Organizations, spaces and environments."""

from typing import Literal

import msgspec

from tagloom.words.calendars import UTC_NAME
from tagloom.words.identity import IdentitySettings

ENVIRONMENT_NAMES = ("development", "staging", "production")


class Organization(msgspec.Struct, frozen=True):
    """One tenant."""

    id: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A separate project of an organization. Its id is unique in the installation. URLs begin with the id."""

    id: str
    organization: str
    name: str


class Environment(msgspec.Struct, frozen=True):
    """One population of a space. `key` is the number of the environment in the store, which is not shown.

    History is kept for `retention_seconds`. If this is 0, history is kept for ever. `identity` has the settings of
    links between visitors and users. Days are those of `time_zone`.
    """

    key: int
    space: str
    name: str
    catalogue: Literal["open", "closed"] = "open"
    retention_seconds: int = 0
    identity: IdentitySettings = IdentitySettings()
    time_zone: str = UTC_NAME
