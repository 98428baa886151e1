"""The sample tribes that a teammate can add to a space without tribes."""

from collections.abc import Mapping

from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.changes import Origin
from tagloom.words.rules import All, HasTag
from tagloom.words.tags import TagPath
from tagloom.words.tribes import Tribe

_CATEGORY = "Samples"
# By the id of the tribe.
SAMPLES: Mapping[str, Draft] = {
    "everyone": Draft(name="Everyone", rule=All(()), category=_CATEGORY, description="All users and visitors."),
    "users-in-trial": Draft(
        name="Users in trial",
        rule=HasTag(TagPath("plan/trial")),
        audience="users",
        category=_CATEGORY,
        description="Users whose tag says that they do not pay yet.",
    ),
    "football-fans-in-australia": Draft(
        name="Football fans in Australia",
        rule=HasTag(TagPath("sports/football/australia")),
        category=_CATEGORY,
        description="Users and visitors who follow football in Australia.",
    ),
}


def add_samples(tribes: Tribes, space: str, *, origin: Origin) -> tuple[Tribe, ...]:
    """Creates the sample tribes and returns them. Does nothing if the space has a tribe.

    Raises: TribeExists: somebody else creates them at the same time.
    """
    if tribes.list_tribes(space):
        return ()
    return tuple(tribes.create_tribe(space, draft, tribe, origin=origin) for tribe, draft in SAMPLES.items())
