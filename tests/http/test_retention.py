"""How long history is kept, as the Platform API hears and tells it."""

import httpx
import pytest

from tagloom_client import Tagloom, TagloomError
from tagloom_client.models import Horizon
from tests.http.serving import Served


def test_history_is_kept_for_ever_unless_somebody_says_otherwise(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")
    found = tagloom.get_environment()
    assert (found.retention, found.horizon) == ("forever", Horizon())

    kept = tagloom.set_retention("90d")

    assert (kept.retention, kept.catalogue) == ("90d", "open")
    assert kept.deleted_history is not None
    assert (kept.deleted_history.versions, kept.deleted_history.changes) == (0, 0)
    assert tagloom.get_environment().retention == "90d"
    assert {each.name: each.retention for each in tagloom.list_environments()}["production"] == "90d"
    assert tagloom.set_retention("forever").retention == "forever"


@pytest.mark.parametrize("text", ["soon", "1h", "0d", "900y"])
def test_what_is_no_retention_is_refused(tagloom: Tagloom, text: str) -> None:
    with pytest.raises(TagloomError, match="retention-invalid"):
        tagloom.set_retention(text)


def test_what_lies_before_the_horizon_is_refused_and_told_of(
    tagloom: Tagloom, http: httpx.Client, served: Served
) -> None:
    for tag in ("a", "b", "c"):
        tagloom.add_tag(tag, user="u1")
    tagloom.remove_tag("a", user="u1")
    tagloom.add_tag("a", user="u1")
    environment = served.installation.control.get_environment(tagloom.place.space, "production")
    population = served.installation.population(environment)
    population.raise_horizon(4)
    while not population.compact().is_all:
        pass

    found = tagloom.get_environment()
    assert found.horizon == Horizon(version=4, at=tagloom.get_change(4).at)
    for refused in (
        lambda: tagloom.get_person(user="u1", as_of="3"),
        lambda: tagloom.undo(4),
        lambda: tagloom.undo_all(versions=[2, 5], dry_run=True),
    ):
        with pytest.raises(TagloomError, match="history-compacted") as raised:
            refused()
        assert raised.value.members["kept_from_version"] == 4  # type: ignore[attr-defined]  # A problem's.
    assert tagloom.get_person(user="u1", as_of="4").tags == ("b", "c")
    changes = list(tagloom.list_changes(user="u1"))
    assert [(each.version, each.tags_added, each.is_compacted) for each in changes] == [
        (1, (), True),
        (2, ("b",), True),
        (3, ("c",), True),
        (5, ("a",), False),
    ]
    page = http.get(f"{tagloom.place.address}/changes", params={"user": "u1"}).json()
    assert page["horizon"] == {"version": 4, "at": tagloom.get_change(4).at}
    assert tagloom.undo(5).removed == 1


def test_a_body_without_anything_to_change_changes_nothing(tagloom: Tagloom, http: httpx.Client) -> None:
    before = tagloom.get_environment()

    assert http.patch(tagloom.place.address, json={}).status_code == 200
    assert tagloom.get_environment() == before
