"""The cached points of people: the same as computed one by one, however many of them are kept in memory."""

from pathlib import Path

import pytest

from tagloom.bootstrap import open_installation
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.keys.points import PointCache, Share
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.state.environment import EnvironmentState
from tagloom.ports.writes import ErasePerson, WriteOptions
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.percent_rules import point_of
from tests.bodies import part, user, visitor
from tests.writing import Batch, write_parts

ADD = Batch(mode="add", origin=Origin("ada", "test"))
SHARES = [Share("spring", 0, 2_000), Share("spring", 1_500, 9_000), Share("autumn", 0, 5_000), Share("autumn", 0, 0)]


@pytest.mark.parametrize("bytes_max", [1, 200_000, 1 << 30])
def test_shares_grow_with_the_people_over_the_edge_of_a_chunk(tmp_path: Path, bytes_max: int) -> None:
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    environment = installation.control.get_environment("main", "production")
    population = installation.population(environment)
    state = EnvironmentState(environment.key, installation.database.storage(environment.key), installation.now)
    cache = PointCache(bytes_max)
    points: dict[str, list[int]] = {"spring": [], "autumn": []}

    def people_of(share: Share) -> BitMap:
        return cache.people(share, state.state.next_ordinal, state.directory, state.snapshot)

    for size in (0, 1, 5, 300, ORDINALS_PER_CHUNK - 310, 3, 1, 40):
        first = len(points["spring"])
        lines = [(visitor if number % 3 else user)(f"p{number}", "a") for number in range(first, first + size)]
        write_parts(population, [part(lines)], ADD)
        for salt, known in points.items():
            people = (each.person for each in lines if each.person is not None)
            known.extend(point_of(salt, each.kind, each.id) for each in people)
        for share in SHARES:
            found = state.read(lambda share=share: people_of(share))  # type: ignore[misc]  # Bound at once.
            expected = [at for at, point in enumerate(points[share.salt]) if share.begin <= point < share.end]
            assert list(found) == expected
            for ordinal in {0, 1, first, first + size - 1, ORDINALS_PER_CHUNK} & set(range(first + size)):
                is_inside = share.begin <= points[share.salt][ordinal] < share.end
                assert state.read(lambda at=ordinal, of=share: state.is_in_share(of, at)) is is_inside  # type: ignore[misc]  # As above.
                assert cache.find(share, ordinal) in (None, is_inside)
    installation.close()


def test_an_erased_person_is_in_no_share_whether_the_points_were_cached_before_or_not(tmp_path: Path) -> None:
    installation = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    environment = installation.control.get_environment("main", "production")
    population = installation.population(environment)
    write_parts(population, [part([user(f"u{number}", "a") for number in range(10)])], ADD)
    before, everybody = (
        EnvironmentState(environment.key, installation.database.storage(environment.key), installation.now),
        Share("spring", 0, 10_000),
    )
    assert len(before.read(lambda: before.share(everybody))) == 10

    population.write(ErasePerson(Person("user", "u4")), WriteOptions(Origin("ada")))

    after = EnvironmentState(environment.key, installation.database.storage(environment.key), installation.now)
    for state in (before, after):
        assert list(state.read(lambda state=state: state.share(everybody))) == [0, 1, 2, 3, 5, 6, 7, 8, 9]  # type: ignore[misc]  # As above.
    installation.close()
