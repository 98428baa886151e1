"""Imports, and the saved mappings of a space."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.http.framework.bodies import read_json, received
from tagloom.http.framework.context import Answer, Call, Events, Stream
from tagloom.http.framework.schemas import ImportsPage, MappingsPage
from tagloom.http.uploads import OCTETS, format_of_body
from tagloom.imports.lifecycle import Imports
from tagloom.imports.mapping_inference import InferredMapping, beginning_in, infer
from tagloom.ports.imports import Import
from tagloom.syncs import limits
from tagloom.words.mappings import Mapping
from tagloom.words.receipts import Rejected
from tagloom.words.tenants import Environment

_LINES_AT_ONCE = 1_000
_ENCODER = msgspec.json.Encoder()


# Imports.


async def list_imports(call: Call) -> Answer:
    """Returns the imports of an environment, the newest first."""
    environment, before, limit = call.environment, call.find_text("before"), call.integer("limit")
    found = await call.in_thread(lambda: call.services.imports.list(environment, limit=limit, before=before))
    return Answer(ImportsPage(items=found))


async def get_import(call: Call) -> Answer:
    """Returns one import with its progress."""
    environment, id = call.environment, call.values["import"]
    return Answer(await call.in_thread(lambda: call.services.imports.get(environment, id)))


async def import_events(call: Call) -> Events:
    """Sends the import whenever it changes, as server-sent events."""
    environment, id = call.environment, call.values["import"]
    run = await call.in_thread(lambda: call.services.imports.get(environment, id))
    return Events(call.state.watches().watch(environment, run))


async def delete_import(call: Call) -> Answer:
    """Deletes an import and its file."""
    environment, id = call.environment, call.values["import"]
    await call.in_thread(lambda: call.services.imports.delete(environment, id))
    return Answer(None, status=204)


async def delete_import_file(call: Call) -> Answer:
    """Deletes the file of a finished import."""
    return await _asked(call, Imports.delete_file)


async def put_import_mapping(call: Call) -> Answer:
    """Sets the mapping of an import, before anything is applied."""
    environment, id, imports = call.environment, call.values["import"], call.services.imports
    mapping = await read_json(call, Mapping)

    def configured() -> Import:
        run = imports.get(environment, id)
        return imports.configure(
            environment,
            id,
            mapping=mapping,
            mode=run.mode,
            prefix=run.prefix,
            lowercase=run.lowercase,
            share_removed_max=run.share_removed_max,
        )

    return Answer(await call.in_thread(configured))


async def plan_import(call: Call) -> Answer:
    """Starts the plan of an import."""
    return await _asked(call, Imports.plan)


async def run_import(call: Call) -> Answer:
    """Starts the run of an import."""
    goes_on = call.flag("goes_on")
    return await _asked(call, lambda imports, environment, id: imports.run(environment, id, goes_on=goes_on))


async def approve_import(call: Call) -> Answer:
    """Approves a held import."""
    return await _asked(call, Imports.approve)


async def pause_import(call: Call) -> Answer:
    """Pauses an import after the current step."""
    return await _asked(call, Imports.pause)


async def resume_import(call: Call) -> Answer:
    """Resumes a paused import."""
    return await _asked(call, Imports.resume)


async def cancel_import(call: Call) -> Answer:
    """Cancels an import, and with `undo` undoes what was applied."""
    by, undo = call.principal.name, call.flag("undo")
    return await _asked(call, lambda imports, environment, id: imports.cancel(environment, id, by=by, undo=undo))


async def undo_import(call: Call) -> Answer:
    """Undoes a finished import."""
    by = call.principal.name
    return await _asked(call, lambda imports, environment, id: imports.undo(environment, id, by=by))


async def _asked(call: Call, ask: Callable[[Imports, Environment, str], Import]) -> Answer:
    environment, id = call.environment, call.values["import"]
    return Answer(await call.in_thread(lambda: ask(call.services.imports, environment, id)))


async def rejected_lines(call: Call) -> Stream:
    """Streams the rejected lines with reasons, as NDJSON or as rows of the file."""
    environment, id, imports = call.environment, call.values["import"], call.services.imports
    run = await call.in_thread(lambda: imports.get(environment, id))
    if call.text("shape") == "reasons":
        return Stream(
            _encoded(await call.in_thread(lambda: imports.rejected(environment, id))), CONTENT_TYPE_OF_FORMAT["ndjson"]
        )
    rows = await call.in_thread(lambda: imports.rejected_rows(environment, id))
    return Stream(rows, CONTENT_TYPE_OF_FORMAT[run.format])


def _encoded(rejected: Iterator[Rejected]) -> Iterator[bytes]:
    lines: list[Any] = []
    for line in rejected:
        lines.append(line)
        if len(lines) >= _LINES_AT_ONCE:
            yield _together(lines)
            lines.clear()
    yield _together(lines)


def _together(lines: Sequence[Any]) -> bytes:
    return b"".join(_ENCODER.encode(line) + b"\n" for line in lines)


# Mappings.


async def infer_mapping(call: Call) -> Answer:
    """Infers a mapping from the beginning of a file."""
    format = format_of_body(call, OCTETS)

    def take(chunks: Iterator[bytes]) -> InferredMapping:
        return infer(beginning_in(chunks, format))

    return Answer(await received(call, limits.PROPOSAL_BYTES_MAX, take))


async def list_mappings(call: Call) -> Answer:
    """Returns the newest version of each mapping, by name."""
    space = call.values["space"]
    return Answer(MappingsPage(items=await call.in_thread(lambda: call.services.mappings.list_mappings(space))))


async def get_mapping(call: Call) -> Answer:
    """Returns the newest version of a mapping, or an earlier one."""
    space, name, version = call.values["space"], call.values["mapping"], call.find_integer("version")
    return Answer(await call.in_thread(lambda: call.services.mappings.get_mapping(space, name, version=version)))


async def put_mapping(call: Call) -> Answer:
    """Saves a new version of a mapping."""
    space, name, by = call.values["space"], call.values["mapping"], call.principal.name
    version = call.find_integer("version")
    body = await read_json(call, Mapping)
    return Answer(
        await call.in_thread(lambda: call.services.mappings.put_mapping(space, name, body, version=version, by=by))
    )


async def delete_mapping(call: Call) -> Answer:
    """Deletes all versions of a mapping."""
    space, name = call.values["space"], call.values["mapping"]
    await call.in_thread(lambda: call.services.mappings.delete_mapping(space, name))
    return Answer(None, status=204)
