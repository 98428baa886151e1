"""How fast the peers are by themselves on this machine: load, size, count, rename, delete."""

from functools import partial

from bench.peers import COUNTERS, STORES
from bench.report import Contender
from bench.run import Run


def measure(run: Run) -> None:
    population = run.population()
    data = f"{population.people:,} people x 10 tags, Zipf over 1,000 tags"
    one, other = population.most_popular[:2]
    with run.peers(STORES) as (stores, absent):
        run.report.compare(
            "Load a CSV",
            [Contender(peer.name, partial(peer.load, population)) for peer in stores],
            data=data,
            unit="taggings",
            units=population.taggings,
            absent=absent,
            rounds=1,
        )
        for peer in stores:
            run.report.note("Size on disk", peer.name, peer.disk_bytes() / population.taggings, "bytes a tagging")
        # Renamed and back again within one round, so that each round begins with the same tags.
        run.report.compare(
            "Rename the most popular tag",
            [
                Contender(peer.name, partial(peer.rename, one, "moved"), after=partial(peer.rename, "moved", one))
                for peer in stores
            ],
            data=f"{data}; {population.count(one):,} bear it",
            absent=absent,
        )
        run.report.compare(
            "Delete the second most popular tag",
            [Contender(peer.name, partial(peer.delete, other)) for peer in stores],
            data=f"{data}; {population.count(other):,} bear it",
            absent=absent,
            rounds=1,
        )
    with run.peers(COUNTERS) as (counters, absent):
        for counter in counters:
            counter.load(population)
        expected = Contender("the drawn truth (numpy)", partial(population.count_both, one, other))
        run.report.compare(
            "Count the people with both of two tags",
            [expected, *(Contender(each.name, partial(each.count_both, one, other)) for each in counters)],
            data=data,
            absent=absent,
        )
