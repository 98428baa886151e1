"""Commands about syncs. The server reads the sources; these commands say which, and push what a tap gives."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tagloom.base.problems import BodyInvalid
from tagloom.cli.options import EnvironmentOption, JsonOption, SpaceOption, TokenOption, token_for
from tagloom.cli.output import err, say_json, say_table, tell
from tagloom.cli.remote_site import told
from tagloom.ports.imports import ASKING
from tagloom.syncs.definitions import parse_draft
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.singer import Tap
from tagloom_client import Tagloom
from tagloom_client.models import Import, Sync, SyncRun

app = typer.Typer()
sync_app = typer.Typer(
    help="Syncs of a server: sources that are read on a schedule, on demand, or pushed.", no_args_is_help=True
)
app.add_typer(sync_app, name="sync")

UNDER_WAY = ("reading", "importing")
_SECONDS_BETWEEN_LOOKS = 0.2

UrlOption = Annotated[str, typer.Option("--url", help="The server.")]
SyncArgument = Annotated[str, typer.Argument(help="The id of the sync.")]
AskFirstOption = Annotated[
    bool, typer.Option("--ask-first", help="Hold the run when its plan is made, until it is approved.")
]


@sync_app.command("list")
def list_syncs(
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the syncs of an environment, with the state of the newest run of each."""
    with server_at(url, token, space, environment) as client:
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
    with server_at(url, token, space, environment) as client:
        known = {each.id for each in client.list_syncs()}
        put = client.put_sync(sync, draft) if sync in known else client.create_sync(sync, draft)
    if as_json:
        say_json(_plain(put))
        return
    tell(f"Sync {put.id} is at revision {put.revision}. It {_when(put)}.")


@sync_app.command("run")
def run_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    asks_first: AskFirstOption = False,
    waits: Annotated[bool, typer.Option("--wait", help="Wait until it has ended, or is held.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin a run now; `sync runs` tells what became of it. With --wait, exit 1 unless it was done."""
    with server_at(url, token, space, environment) as client:
        run = client.run_sync(sync, asks_first=asks_first)
        if not waits:
            _say_begun(run, as_json=as_json)
            return
        _say_ended(client, _ended(client, run), as_json=as_json)


@sync_app.command("approve")
def approve_run(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Let a held run do what its plan says, and wait for its end; exit 1 unless it was done."""
    with server_at(url, token, space, environment) as client:
        run = _held(client, sync)
        client.ask_import(run.import_id or "", "approve")
        _say_ended(client, _ended(client, run), as_json=as_json)


@sync_app.command("cancel")
def cancel_run(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """End a held run; nothing of it was applied."""
    with server_at(url, token, space, environment) as client:
        run = _held(client, sync)
        client.cancel_import(run.import_id or "")
        _ended(client, run)
    tell(f"Run {run.id} of {sync} is cancelled.")


@sync_app.command("pause")
def pause_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Have a sync wait until it is called."""
    with server_at(url, token, space, environment) as client:
        _pause(client, sync, is_paused=True)
    tell(f"Sync {sync} is paused, and runs on call only.")


@sync_app.command("resume")
def resume_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Have a sync run on its schedule again."""
    with server_at(url, token, space, environment) as client:
        put = _pause(client, sync, is_paused=False)
    tell(f"Sync {sync} is resumed; it {_when(put)}.")


def _pause(client: Tagloom, sync: str, *, is_paused: bool) -> Sync:
    found = client.get_sync(sync)
    return client.put_sync(sync, {**found.draft, "is_paused": is_paused}, revision=found.revision)


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
    with server_at(url, token, space, environment) as client:
        runs = client.list_sync_runs(sync)
    if as_json:
        say_json([_plain(run) for run in runs])
        return
    rows = [(run.id, run.began_at, run.trigger, run.rows, run.state, run.problem or "") for run in runs]
    say_table(("run", "began", "by", "rows", "state", "problem"), rows, numbers=(0, 3), wraps=(5,))


@sync_app.command("delete")
def delete_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Forget a sync and its runs; what they wrote stays."""
    with server_at(url, token, space, environment) as client:
        client.delete_sync(sync)
    tell(f"Sync {sync} is deleted.")


@sync_app.command("singer")
def push_singer(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    asks_first: AskFirstOption = False,
) -> None:
    """Push what a Singer tap writes to standard input: `tap-hubspot … | tagloom sync singer crm --url …`.

    The tap is read to its end first. Its last state is printed once the server has all records, as Singer targets do.
    A mirror is held, and its state not printed, where the tap may not have given everybody.
    """
    with (
        server_at(url, token, space, environment) as client,
        closing(Tap(iter(sys.stdin.buffer.readline, b""), _stream_of(client, sync))) as tap,
    ):
        tap.read()
        for name, count in tap.passed_over.items():
            err.print(f"{count:,} records of '{name}' were passed over.", markup=False)
        if not tap.records_count:
            raise BodyInvalid("The tap gave no record, so nothing was pushed. Look at what it wrote to standard error.")
        doubt = _doubt(tap) if client.get_sync(sync).draft.get("mode", "mirror") == "mirror" else None
        run = client.push_records(sync, tap.records(), asks_first=asks_first or doubt is not None)
    err.print(f"Run {run.id} of {sync} has begun with {tap.records_count:,} records.", markup=False)
    if doubt is not None:
        err.print(f"It is held: {doubt}", markup=False)
        err.print(
            f"Approve it with: tagloom sync approve {sync}; end it with: tagloom sync cancel {sync}.", markup=False
        )
        raise typer.Exit(1)
    if tap.state is not None:
        say_json(tap.state)


def _remedy(sync: str) -> str:
    return f"Approve it with: tagloom sync approve {sync}; end it with: tagloom sync cancel {sync}."


def _stream_of(client: Tagloom, sync: str) -> str | None:
    stream: str | None = client.get_sync(sync).draft["source"].get("stream")
    return stream


def _doubt(tap: Tap) -> str | None:
    """Why the records of a tap may not be everybody, whom a mirror needs; None when nothing says so."""
    if not tap.is_complete:
        return (
            "the tap ended without a last STATE, so it may have died midway. A mirror would remove the tags of "
            "everybody whom it did not reach. Run the tap again."
        )
    key = tap.incremental_key()
    if key is not None:
        return (
            f"the tap's state has a bookmark '{key}', so it gives what changed and not everybody. A mirror would "
            "remove the tags of everybody else. Let the tap read the whole table, or give the sync the mode 'set'."
        )
    return None


def _when(sync: Sync) -> str:
    return f"runs next at {sync.next_run_at}" if sync.next_run_at else "runs on call"


def _say_begun(run: SyncRun, *, as_json: bool) -> None:
    if as_json:
        say_json(_plain(run))
        return
    tell(f"Run {run.id} of {run.sync} has begun.")


def _held(client: Tagloom, sync: str) -> SyncRun:
    """The newest run, which waits to be approved. Raises: SyncInvalid."""
    run = next(iter(client.list_sync_runs(sync, limit=1)), None)
    if run is None or run.state != "held" or run.import_id is None:
        raise SyncInvalid(f"No run of '{sync}' is held.")
    return run


def _ended(client: Tagloom, begun: SyncRun) -> SyncRun:
    """The run when it has ended, or is held: not as long as only the run has not heard yet of its import's approval."""
    while True:
        run = next(each for each in client.list_sync_runs(begun.sync) if each.id == begun.id)
        is_held = run.state == "held" and client.get_import(run.import_id or "").state in ASKING
        if is_held or run.state not in (*UNDER_WAY, "held"):
            return run
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _say_ended(client: Tagloom, run: SyncRun, *, as_json: bool) -> None:
    """What became of a run. Raises: Exit, with 1 unless it was done, or only looked at as it was asked."""
    brought = client.get_import(run.import_id) if run.import_id else None
    if as_json:
        say_json(_plain(run) | {"import": _plain(brought)})
    elif run.state == "done" and brought is not None:
        tally = brought.tally
        tell(
            f"Run {run.id} of {run.sync} is done: {run.rows:,} rows, {tally['added']:,} taggings added, "
            f"{tally['removed']:,} removed, {tally['new_people']:,} new people, {tally['rejected_count']:,} rejected"
            f"{_versions(tally['versions'])}."
        )
    else:
        why = (_why_held(brought) if brought is not None else None) or run.problem or ""
        tell(f"Run {run.id} of {run.sync} is {run.state}. {why}".strip())
        if run.state == "held":
            tell(_remedy(run.sync))
    is_as_asked = brought is not None and brought.state == "planned"
    if run.state != "done" and not is_as_asked:
        raise typer.Exit(1)


def _why_held(brought: Import) -> str | None:
    """What stopped it; of one that was only looked at, what it would do."""
    if brought.state != "planned" or brought.plan is None:
        return brought.detail
    preview = brought.plan["preview"]["receipt"]
    return f"It would add {preview['added']:,} taggings and remove {preview['removed']:,}."


def _versions(versions: Sequence[int]) -> str:
    """What `tagloom undo` takes the run back by."""
    if len(versions) > 1:
        return f"; versions {versions[0]} to {versions[-1]}"
    return f"; version {versions[0]}" if versions else ""


@contextmanager
def server_at(url: str, token: str | None, space: str, environment: str) -> Iterator[Tagloom]:
    """A client of the server at an environment. Raises: ParameterInvalid, and the server's problems."""
    with told(), Tagloom(url, token_for(url, token), space=space, environment=environment) as client:
        yield client


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value)
