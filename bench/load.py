"""Loading: a CSV of new people, the same file again, a mirror with one percent changed; size; undo."""

from functools import partial

from bench.peers import STORES
from bench.product import Tagloom
from bench.report import Contender
from bench.run import Run


def measure(run: Run) -> None:
    population = run.population()
    changed = run.population(changed_share=0.01)
    data = f"{population.people:,} new people x 10 tags, Zipf over 1,000 tags"
    product = Tagloom(run.workdir)
    with run.peers(STORES) as (stores, absent):
        run.report.compare(
            "Load a CSV, durable (Tagloom: with its change log)",
            [Contender(peer.name, partial(peer.load, population)) for peer in (product, *stores)],
            data=data,
            unit="taggings",
            units=population.taggings,
            absent=absent,
            rounds=1,
        )
        for peer in (product, *stores):
            run.report.note("Size on disk", peer.name, peer.disk_bytes() / population.taggings, "bytes a tagging")
    index_bytes = product.index_bytes()
    run.report.note("Index in memory", product.name, index_bytes / population.taggings, "bytes a tagging")
    run.report.compare(
        "Load the same file again: nothing to change",
        [Contender(product.name, lambda: expect(product.apply(population, "add").added, 0))],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=min(3, run.report.rounds),
    )
    run.report.compare(
        "Undo the whole load, then undo the undo",
        [
            Contender("undo", lambda: expect(product.undo(1).people_removed, population.people)),
            Contender("and back", lambda: expect(product.undo(2).new_people, population.people)),
        ],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=1,
    )
    loaded = product.people.version()
    run.report.compare(
        "Mirror a file with 1 % changed, then undo it",
        [
            Contender("mirror", lambda: expect(product.apply(changed, "mirror").version, loaded + 1)),
            Contender("undo", lambda: expect(product.undo(loaded + 1).version, loaded + 2)),
        ],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=1,
    )
    product.close()


def expect(found: int, wanted: int) -> None:
    """Stops the bench when the work that was timed did not do what it should."""
    if found != wanted:
        raise AssertionError(f"expected {wanted}, found {found}")
