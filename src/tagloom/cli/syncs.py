"""Commands about syncs. The server reads the sources. `singer` pushes the records of a Singer tap."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import plural
from tagloom.cli.options import EnvironmentOption, JsonOption, SpaceOption, TokenOption, token_for
from tagloom.cli.output import err, say_json, say_table, tell
from tagloom.cli.remote_site import RETRIES, problems_of_server
from tagloom.ports.imports import ASKING
from tagloom.syncs.definitions import parse_draft
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.singer import Tap
from tagloom_client import Tagloom
from tagloom_client.models import Import, Sync, SyncRun

app = typer.Typer()
sync_app = typer.Typer(
    help="Syncs of a server: list, put, run, approve, cancel, pause, resume, runs, delete, singer.",
    no_args_is_help=True,
)
app.add_typer(sync_app, name="sync")

UNDER_WAY = ("reading", "importing")
_SAID: Final[Mapping[str, str]] = {
    "reading": "is reading its source",
    "importing": "is importing its rows",
    "held": "is held",
    "done": "is done",
    "failed": "has failed",
    "cancelled": "was cancelled",
}
_SECONDS_BETWEEN_READS = 0.2

UrlOption = Annotated[str, typer.Option("--url", help="The server.")]
SyncArgument = Annotated[str, typer.Argument(help="The id of the sync.")]
RequireApprovalOption = Annotated[
    bool, typer.Option("--require-approval", help="Require approval: hold the run when its plan is ready.")
]


@sync_app.command("list")
def list_syncs(
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the syncs of an environment, with the state of their newest run."""
    with server_at(url, token, space, environment) as client:
        syncs = list(client.list_syncs())
        newest = [next(iter(client.list_sync_runs(sync.id, limit=1)), None) for sync in syncs]
    if as_json:
        say_json([_plain(sync) | {"newest_run": _plain(run)} for sync, run in zip(syncs, newest, strict=True)])
        return
    rows = [
        (sync.id, sync.draft["source"]["type"], sync.next_run_at or "manual", run.state if run else "never ran")
        for sync, run in zip(syncs, newest, strict=True)
    ]
    say_table(("sync", "source", "next run", "newest run"), rows)


@sync_app.command("put")
def put_sync(
    sync: SyncArgument,
    file: Annotated[Path, typer.Argument(help="The draft as a JSON file, or - for standard input.")],
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Create or replace a sync from a file."""
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    parse_draft(body)
    draft = msgspec.json.decode(body, type=dict[str, Any])
    with server_at(url, token, space, environment) as client:
        known = {each.id for each in client.list_syncs()}
        put = client.put_sync(sync, draft) if sync in known else client.create_sync(sync, draft)
    if as_json:
        say_json(_plain(put))
        return
    tell(f"Sync {put.id} was saved as revision {put.revision}. It {_when(put)}.")


@sync_app.command("run")
def run_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    requires_approval: RequireApprovalOption = False,
    waits: Annotated[bool, typer.Option("--wait", help="Wait until the run ends or is held.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run now. `sync runs` shows its result. With --wait, exit 1 unless it is done."""
    with server_at(url, token, space, environment) as client:
        run = client.run_sync(sync, requires_approval=requires_approval)
        if not waits:
            _say_started(run, as_json=as_json)
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
    """Approve a held run and wait for its end. Exit 1 unless it is done."""
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
    """Cancel a held run. Nothing of it was applied."""
    with server_at(url, token, space, environment) as client:
        run = _held(client, sync)
        client.cancel_import(run.import_id or "")
        _ended(client, run)
    tell(f"Run {run.id} of {sync} was cancelled.")


@sync_app.command("pause")
def pause_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Pause the schedule of a sync."""
    with server_at(url, token, space, environment) as client:
        _pause(client, sync, is_paused=True)
    tell(f"Sync {sync} was paused. It runs only when you start it.")


@sync_app.command("resume")
def resume_sync(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Resume the schedule of a sync."""
    with server_at(url, token, space, environment) as client:
        put = _pause(client, sync, is_paused=False)
    tell(f"Sync {sync} was resumed. It {_when(put)}.")


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
    """Delete a sync and its runs. Their taggings stay."""
    with server_at(url, token, space, environment) as client:
        client.delete_sync(sync)
    tell(f"Sync {sync} was deleted.")


@sync_app.command("singer")
def push_singer(
    sync: SyncArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    requires_approval: RequireApprovalOption = False,
) -> None:
    """Push the records of a Singer tap from standard input: `tap-hubspot … | tagloom sync singer crm --url …`.

    Reads the tap to its end first. Prints its last state when the server has all records, as Singer targets do. If the
    tap may have left people out, a mirror is held and the state is not printed.
    """
    with (
        server_at(url, token, space, environment) as client,
        closing(Tap(iter(sys.stdin.buffer.readline, b""), _stream_of(client, sync))) as tap,
    ):
        tap.read()
        for name, count in tap.passed_over.items():
            err.print(f"{plural(count, 'record')} of '{name}' {'was' if count == 1 else 'were'} skipped.", markup=False)
        if not tap.records_count:
            raise BodyInvalid("The tap wrote no record, so nothing was pushed. Check its output on standard error.")
        doubt = _doubt(tap) if client.get_sync(sync).draft.get("mode", "mirror") == "mirror" else None
        run = client.push_records(sync, tap.records(), requires_approval=requires_approval or doubt is not None)
    err.print(f"Run {run.id} of {sync} started with {plural(tap.records_count, 'record')}.", markup=False)
    if doubt is not None:
        err.print(f"It is held: {doubt}", markup=False)
        err.print(_remedy(sync), markup=False)
        raise typer.Exit(1)
    if tap.state is not None:
        say_json(tap.state)


def _remedy(sync: str) -> str:
    return f"Approve it with: tagloom sync approve {sync}. Cancel it with: tagloom sync cancel {sync}."


def _stream_of(client: Tagloom, sync: str) -> str | None:
    stream: str | None = client.get_sync(sync).draft["source"].get("stream")
    return stream


def _doubt(tap: Tap) -> str | None:
    """Returns the reason why a tap may have left people out, or None if it has sent all people.

    A mirror of an incomplete tap would remove the tags of the other people.
    """
    if not tap.is_complete:
        return (
            "the tap ended without a last STATE, so it may have failed midway. A mirror would remove the tags of "
            "everyone else. Run the tap again."
        )
    key = tap.incremental_key()
    if key is not None:
        return (
            f"the tap's state has a bookmark '{key}', so it sends only changed records. A mirror would remove the tags "
            "of everyone else. Let the tap read the whole table, or set the mode of the sync to 'set'."
        )
    return None


def _when(sync: Sync) -> str:
    return f"runs next at {sync.next_run_at}" if sync.next_run_at else "runs when you start it"


def _say_started(run: SyncRun, *, as_json: bool) -> None:
    if as_json:
        say_json(_plain(run))
        return
    tell(f"Run {run.id} of {run.sync} started.")


def _held(client: Tagloom, sync: str) -> SyncRun:
    """Returns the newest run of a sync. Raises: SyncInvalid: the newest run is not held."""
    run = next(iter(client.list_sync_runs(sync, limit=1)), None)
    if run is None or run.state != "held" or run.import_id is None:
        raise SyncInvalid(f"'{sync}' has no held run.")
    return run


def _ended(client: Tagloom, started: SyncRun) -> SyncRun:
    """Waits until a run ends or is held. A run whose import was just approved does not count as held."""
    while True:
        run = next(each for each in client.list_sync_runs(started.sync) if each.id == started.id)
        is_held = run.state == "held" and client.get_import(run.import_id or "").state in ASKING
        if is_held or run.state not in (*UNDER_WAY, "held"):
            return run
        time.sleep(_SECONDS_BETWEEN_READS)


def _say_ended(client: Tagloom, run: SyncRun, *, as_json: bool) -> None:
    """Prints the result of a run.

    Raises: Exit, with 1: the run is not done, and was not started only for its plan.
    """
    brought = client.get_import(run.import_id) if run.import_id else None
    if as_json:
        say_json(_plain(run) | {"import": _plain(brought)})
    elif run.state == "done" and brought is not None:
        tally = brought.tally
        done = f"{plural(run.rows, 'row')}, {plural(tally['added'], 'tagging')} added, {tally['removed']:,} removed"
        new_people = plural(tally["new_people"], "new person", "new people")
        tell(
            f"Run {run.id} of {run.sync} is done: {done}, {new_people}, {tally['rejected_count']:,} rejected"
            f"{_versions(tally['versions'])}."
        )
    else:
        why = (_why_held(brought) if brought is not None else None) or run.problem or ""
        tell(f"Run {run.id} of {run.sync} {_SAID[run.state]}. {why}".strip())
        if run.state == "held":
            tell(_remedy(run.sync))
    is_only_planned = brought is not None and brought.state == "planned"
    if run.state != "done" and not is_only_planned:
        raise typer.Exit(1)


def _why_held(brought: Import) -> str | None:
    """Returns the reason why an import is held, or the effect of an import that is only planned."""
    if brought.state != "planned" or brought.plan is None:
        return brought.detail
    preview = brought.plan["preview"]["receipt"]
    return f"It would add {plural(preview['added'], 'tagging')} and remove {preview['removed']:,}."


def _versions(versions: Sequence[int]) -> str:
    """Returns the versions of a run, for `tagloom undo`."""
    if len(versions) > 1:
        return f"; versions {versions[0]} to {versions[-1]}"
    return f"; version {versions[0]}" if versions else ""


@contextmanager
def server_at(url: str, token: str | None, space: str, environment: str) -> Iterator[Tagloom]:
    """Opens a client for an environment of a server. Raises: ParameterInvalid, ServerRefused, ServerUnreachable."""
    with (
        problems_of_server(),
        Tagloom(url, token_for(url, token), space=space, environment=environment, retries=RETRIES) as client,
    ):
        yield client


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value)
