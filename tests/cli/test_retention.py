"""How long history is kept, from the command line."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tagloom.bootstrap import open_installation
from tagloom.settings import read_settings
from tagloom.words.changes import Origin
from tests.bodies import part, user
from tests.cli.conftest import Twins
from tests.cli.running import ask, run
from tests.cli.test_both_ways import both
from tests.writing import Batch, write_parts


def test_a_retention_says_the_same_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()

    assert both(twins, pair, "retention", "--json").json["retention"] == "forever"
    assert both(twins, pair, "retention", "90d", "--dry-run", "--json").json["retention"] == "forever"
    assert both(twins, pair, "retention", "90d", "--json").json["deleted_history"]["versions"] == 0
    assert both(twins, pair, "retention", "--json").json["retention"] == "90d"
    assert both(twins, pair, "retention", "soon", "--json").code == 1


def test_what_is_too_old_goes_when_somebody_says_so_and_compacts(tmp_path: Path) -> None:
    ask("init", "--data", tmp_path)
    at = datetime.now(UTC) - timedelta(days=30)
    with closing(open_installation(read_settings(tmp_path), now=lambda: at)) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        for mode in ("add", "remove", "add"):
            write_parts(population, [part([user("u1", "a")])], Batch(mode=mode, origin=Origin("ada")))
    assert run("compact", "--data", tmp_path).out == "Every environment keeps its history forever.\n"

    refused = run("retention", "7d", "--data", tmp_path)
    assert (refused.code, "3 versions" in refused.err) == (1, True)
    assert "3 versions lose undo and time travel" in run("retention", "7d", "--dry-run", "--data", tmp_path).out
    assert ask("retention", "7d", "--delete-history", "--data", tmp_path)["deleted_history"]["versions"] == 3
    (preview,) = ask("compact", "--dry-run", "--data", tmp_path)
    (done,) = ask("compact", "--data", tmp_path)

    assert done == preview
    assert (done["environment"], done["versions"], done["horizon"]["version"]) == ("production", 3, 3)
    assert done["changes"] == 2
    assert "complete from version 3" in run("retention", "--data", tmp_path).out
    assert run("undo", "3", "--data", tmp_path).code == 1
    assert run("check", "--data", tmp_path).out == "ok\n"
