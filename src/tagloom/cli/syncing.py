"""Commands about syncs. The server reads the sources; these commands say which, and push what a tap gives."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tagloom.cli.options import EnvironmentOption, JsonOption, SpaceOption, TokenOption, token_for
from tagloom.cli.site import told
from tagloom.cli.speaking import err, say_json, say_table, tell
from tagloom.syncing.keeping import parse_draft
from tagloom.syncing.singer import Tap
from tagloom_client import Tagloom

app = typer.Typer()
sync_app = typer.Typer(
    help="Syncs of a server: sources that are read on a schedule, on call, or pushed.", no_args_is_help=True
)
app.add_typer(sync_app, name="sync")

UrlOption = Annotated[str, typer.Option("--url", help="The server.")]
SyncArgument = Annotated[str, typer.Argument(help="The id of the sync.")]


@sync_app.command("list")
def list_syncs(
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the syncs of an environment, with the state of the newest run of each."""
    with _server(url, token, space, environment) as client:
        syncs = list(client.list_syncs())
        newest = [next(iter(client.list_sync_runs(sync.id, limit=1)), None) for sync in syncs]
    if as_json:
        say_json([_plain(sync) | {"newest_run": _plain(run)} for sync, run in zip(syncs, newest, strict=True)])
        return
    rows = [
        (sync.id, sync.draft["source"]["type"], sync.next_run_at or "on call", run.state if run else "never ran")
        for sync, run in zip(syncs, newest, strict=True)
    ]
    say_table(("sync", "source", "next run", "newest run"), rows)


@sync_app.command("put")
def put_sync(
    sync: SyncArgument,
    file: Annotated[Path, typer.Argument(help="The draft as JSON; - reads standard input.")],
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Create a sync from a file, or replace it."""
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    parse_draft(body)
    draft = msgspec.json.decode(body, type=dict[str, Any])
    with _server(url, token, space, environment) as client:
        known = {each.id for each in client.list_syncs()}
        put = client.put_sync(sync, draft) if sync in known else client.create_sync(sync, draft)
    if as_json:
        say_json(_plain(put))
        return
    when = f"It runs next at {put.next_run_at}." if put.next_run_at else "It runs on call."
    tell(f"Sync {put.id} is at revision {put.revision}. {when}")


@sync_app.command("run")
def run_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Begin a run now; `sync runs` tells what became of it."""
    with _server(url, token, space, environment) as client:
        run = client.run_sync(sync)
    if as_json:
        say_json(_plain(run))
        return
    tell(f"Run {run.id} of {sync} has begun.")


@sync_app.command("runs")
def list_runs(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the newest runs of a sync."""
    with _server(url, token, space, environment) as client:
        runs = client.list_sync_runs(sync)
    if as_json:
        say_json([_plain(run) for run in runs])
        return
    rows = [(run.id, run.began_at, run.trigger, run.rows, run.state, run.problem or "") for run in runs]
    say_table(("run", "began", "by", "rows", "state", "problem"), rows, numbers=(0, 3), wraps=(5,))


@sync_app.command("drop")
def drop_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Forget a sync and its runs; what they wrote stays."""
    with _server(url, token, space, environment) as client:
        client.drop_sync(sync)
    tell(f"Sync {sync} is forgotten.")


@sync_app.command("singer")
def push_singer(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Push what a Singer tap writes to standard input: `tap-hubspot … | tagloom sync singer crm --url …`.

    The tap's last state is printed once the server has all records, as Singer targets do.
    """
    with _server(url, token, space, environment) as client:
        stream = client.get_sync(sync).draft["source"].get("stream")
        tap = Tap(iter(sys.stdin.buffer.readline, b""), stream)
        run = client.push_records(sync, tap.records())
    for name, count in tap.passed_over.items():
        err.print(f"{count:,} records of '{name}' were passed over.", markup=False)
    err.print(f"Run {run.id} of {sync} has begun with {tap.records_count:,} records.", markup=False)
    if tap.state is not None:
        say_json(tap.state)


@contextmanager
def _server(url: str, token: str | None, space: str, environment: str) -> Iterator[Tagloom]:
    with told(), Tagloom(url, token_for(url, token), space=space, environment=environment) as client:
        yield client


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value)
