"""`python -m bench`: runs the benchmarks, prints their tables, writes them as JSON."""

import argparse
import tempfile
from pathlib import Path

from bench import (
    attributes,
    commands,
    console,
    counts,
    events,
    history,
    http,
    identity,
    imports,
    load,
    peer_speeds,
    postgres,
)
from bench.report import Report
from bench.run import Bench, Run, Scale

BENCHES: dict[str, Bench] = {
    "commands": commands.measure,
    "load": load.measure,
    "imports": imports.measure,
    "counts": counts.measure,
    "events": events.measure,
    "attributes": attributes.measure,
    "identity": identity.measure,
    "history": history.measure,
    "http": http.measure,
    "console": console.measure,
    "postgres": postgres.measure,
    "peers": peer_speeds.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="the large sizes: minutes, and gigabytes of disk")
    sizes.add_argument("--smoke", action="store_true", help="the smallest sizes: every part runs, and no number counts")
    parser.add_argument("--only", choices=BENCHES, action="append", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is timed (5)")
    parser.add_argument("--json", type=Path, default=Path(".bench/report.json"), help="where the numbers go")
    parser.add_argument("--workdir", type=Path, help="keeps the data here; else a folder that is removed")
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds must be at least 1")

    report = Report(rounds=chosen.rounds)
    # Beside the project and not in the system's temporary folder, which may be memory: a sync must reach a disk.
    base = Path(".bench")
    base.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=base, prefix="data-") as passing:
        workdir: Path = chosen.workdir or Path(passing)
        workdir.mkdir(parents=True, exist_ok=True)
        scale: Scale = "full" if chosen.full else "smoke" if chosen.smoke else "quick"
        run = Run(scale=scale, workdir=workdir.resolve(), report=report)
        for name in chosen.only or BENCHES:
            BENCHES[name](run)
    report.write(chosen.json)
    print(f"Written to {chosen.json}.")


if __name__ == "__main__":
    main()
