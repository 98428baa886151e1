"""The benchmarks' own data and report are right; no test here times anything."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench import data, imports, peer_speeds, peers, report
from bench.__main__ import BENCHES
from bench.run import Run


@pytest.mark.parametrize("size", [1, 2, 10, 99, 100, 101, 12_345])
def test_the_shuffle_names_every_row_once(size: int) -> None:
    cut = size // 3
    rows = np.concatenate([data.shuffled(0, cut, size, seed=4), data.shuffled(cut, size, size, seed=4)])

    assert sorted(rows) == list(range(size))
    assert size < 99 or list(rows) != list(range(size))


def test_everybody_bears_ten_different_tags_the_same_for_the_same_seed() -> None:
    matrix = data.draw_taggings(2_000, seed=3)

    assert (np.diff(np.sort(matrix, axis=1).astype(int)) > 0).all()
    assert (matrix == data.draw_taggings(2_000, seed=3)).all()
    assert (matrix != data.draw_taggings(2_000, seed=4)).any()


def test_the_thousand_tags_are_different_paths_of_one_to_three_levels() -> None:
    assert len(set(data.tag_paths())) == data.TAGS
    assert {path.count("/") + 1 for path in data.tag_paths()} == {1, 2, 3}


def test_exactly_the_asked_share_of_taggings_changes() -> None:
    before = data.draw_taggings(1_000, seed=3)

    after = data.change_taggings(before, share=0.01, seed=3)

    assert (before != after).sum() == 100
    assert (np.diff(np.sort(after, axis=1).astype(int)) > 0).all()


@pytest.mark.parametrize("id_form", ["cust", "hex"])
def test_the_csv_holds_each_tagging_once(tmp_path: Path, id_form: data.IdForm) -> None:
    population = data.make_population(tmp_path, people=300, id_form=id_form)

    header, *lines = population.csv_path.read_text(encoding="utf-8").splitlines()

    assert header == "user,tag"
    assert len(set(lines)) == len(lines) == 3_000
    assert len({line.split(",")[0] for line in lines}) == 300
    popular = population.most_popular[0]
    assert sum(line.split(",")[1] == popular for line in lines) == population.count(popular)


def test_the_peers_agree_with_the_drawn_population(tmp_path: Path) -> None:
    said: list[str] = []
    run = Run(scale="quick", workdir=tmp_path, report=report.Report(rounds=2, say=said.append))
    population = run.population(500)
    one, other = population.most_popular[:2]

    with run.peers((peers.SqliteRows, peers.BarePyroaring)) as (opened, absent):
        for peer in opened:
            peer.load(population)
            assert peer.count_both(one, other) == population.count_both(one, other)
    assert absent == {}


def test_a_peer_that_is_not_installed_is_reported_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise peers.NotInstalled(f"{name} is not installed")

    monkeypatch.setattr(peers, "find_module", refuse)
    monkeypatch.setattr(Run, "people", 200)
    said: list[str] = []

    peer_speeds.measure(Run(scale="quick", workdir=tmp_path, report=report.Report(rounds=1, say=said.append)))

    assert "duckdb is not installed" in said[0]
    assert "chdb.session is not installed" in said[0]
    assert "SQLite rows" in said[0]


@pytest.mark.slow
@pytest.mark.parametrize("part", BENCHES)
def test_every_part_of_the_benchmark_runs_at_its_smallest_size(part: str, tmp_path: Path) -> None:
    assert shutil.which("wrk") is not None, "the load generator is not installed: Debian's package wrk"
    written = report.Report(rounds=1, say=lambda _: None)

    BENCHES[part](Run(scale="smoke", workdir=tmp_path, report=written))

    assert written.comparisons or written.figures, "it measured something"
    assert list(tmp_path.rglob("*.sqlite")) == [], "what was served is removed"


def test_imports_are_measured_by_what_they_really_did(tmp_path: Path) -> None:
    said: list[str] = []

    imports.measure(Run(scale="smoke", workdir=tmp_path, report=report.Report(rounds=1, say=said.append)))

    asked = "".join(said)
    assert all(name in asked for name in ("POST taggings", "import: sent, and run", "plan of a mirror", "undo of"))
    assert "at its end / at a tenth" in said[-1]


def test_ratios_compare_within_a_round_and_the_table_lines_up() -> None:
    comparison = report.Comparison(
        "How fast?",
        "nothing",
        (
            report.Timing("tagloom", (1.0, 2.0, 4.0)),
            report.Timing("a peer", (10.0, 30.0, 80.0)),
            report.Timing("gone", absent="not installed"),
        ),
        unit="taggings",
        units=1_000_000,
    )

    assert comparison.ratios(comparison.timings[1]) == (10.0, 15.0, 20.0)
    assert report.comparison_table(comparison).splitlines() == [
        "How fast?",
        "  nothing; 3 rounds in turn",
        "            min  median   max  taggings/s  ratio",
        "  tagloom   1 s     2 s   4 s       500 k   1.00",
        "  a peer   10 s    30 s  80 s      33.3 k  15.00",
        "  gone     not installed",
        "  ratio: its time / tagloom's, median over the rounds",
    ]


def test_contenders_that_disagree_end_the_bench() -> None:
    contenders = [report.Contender("one", lambda: 1), report.Contender("two", lambda: 2)]

    with pytest.raises(report.WrongAnswer, match="one says 1, two says 2"):
        report.Report(rounds=1, say=lambda _: None).compare("How many?", contenders, data="nothing")


def test_the_report_is_written_as_json(tmp_path: Path) -> None:
    written = report.Report(rounds=2, say=lambda _: None)
    written.compare("How many?", [report.Contender("one", lambda: 1)], data="nothing", repeats=3)
    written.note("How large?", "one", 12.0, "bytes")

    written.write(tmp_path / "report.json")

    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(document["comparisons"][0]["timings"][0]["seconds"]) == 2
    assert document["figures"] == [{"question": "How large?", "name": "one", "value": 12.0, "unit": "bytes"}]
