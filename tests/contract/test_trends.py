"""How many people bore a tag, or were in a tribe, at earlier moments."""

from datetime import timedelta

from tagloom.ports.writes import DeleteTag, MoveTag, PutTag, WriteOptions
from tagloom.words.rules import HasTag
from tests.bodies import user
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, definition, path


def test_a_dropped_tag_that_would_be_too_deep_today_is_still_found_by_the_path_it_had(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "b/c"), user("u2", "c/d"))
    subject.clock.advance(timedelta(seconds=1))
    between = f"{subject.clock():%Y-%m-%dT%H:%M:%S}.000Z"
    population.write(DeleteTag(path("b/c")), WriteOptions(ADA))
    population.write(PutTag(tag=path("b")), WriteOptions(ADA))
    # Now b/c would be c/d/e/c, of four levels.
    population.write(MoveTag(path("b"), path("c/d/e")), WriteOptions(ADA))

    assert population.users_at([path("b/c")], [between]) == {"b/c": (1, 0)}
    assert population.trend([definition(HasTag("b/c"))], {}, [between]) == ((1, 0),)
