"""Suggests a mapping for a file without the plain columns, and commands that use the mapping."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, assert_never

import typer

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.cli.import_progress import FileFormat, Wanted
from tagloom.cli.output import complain, warn
from tagloom.files.json_body import lines_of_json
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports.folder import chunks_of, compression_at
from tagloom.imports.mapping_inference import InferredMapping, ReadRow, beginning_in, beginning_of, infer
from tagloom.words.mappings import AttributeColumn, BandsColumn, Column, FlagColumn, ListColumn, TagColumn, ValueColumn

_PLAIN = "user"
# The options that a mapping replaces, and the token, which is never printed.
_NOT_REPEATED = frozenset(
    {"file", "token", "mapping", "user_column", "visitor_column", "tag_column", "tag", "encoding"}
)


def inferred_mapping_for(file: Path, format: FileFormat, *, user: str | None = None) -> InferredMapping:
    """Infers a mapping from the first rows of a file. Raises: BodyInvalid, ColumnsInvalid."""
    if format == "json":
        return infer(beginning_in(lines_of_json(chunks_of(file)), "ndjson"), user=user)
    return infer(beginning_of(file, format, compression_at(file)), user=user)


@contextmanager
def with_suggestions(wanted: Wanted, context: typer.Context) -> Iterator[None]:
    """Prints suggestions and exits with 1 if the file has none of the plain columns."""
    try:
        yield
    except ColumnsInvalid as problem:
        lines = suggestions(wanted, context)
        if not lines:
            raise
        complain(problem)
        for line in lines:
            warn(line)
        raise typer.Exit(1) from problem


def suggestions(wanted: Wanted, context: typer.Context, *, is_rejected: bool = False) -> list[str]:
    """Returns lines with the inferred mapping and commands. Returns no lines if nothing can be inferred.

    `is_rejected` means that all lines of the file were rejected. Then lines are returned only if the file lacks the
    plain columns.
    """
    if not isinstance(wanted.file, Path) or wanted.mapping is not None or wanted.tag is not None:
        return []
    user = None if wanted.user_column == _PLAIN else wanted.user_column
    try:
        inferred = inferred_mapping_for(wanted.file, wanted.format, user=user)
    except Problem:
        # The import reports the problem of the file.
        return []
    if is_rejected and not _lacks_plain_columns(seen.column for seen in inferred.columns):
        return []
    return [*_columns(inferred), *_commands(wanted, inferred, context, user)]


def _lacks_plain_columns(names: Iterable[str]) -> bool:
    known = {name.removesuffix("[*]") for name in names}
    return known.isdisjoint(("user", "visitor")) or known.isdisjoint(("tag", "tags", "add", "remove"))


def _columns(inferred: InferredMapping) -> Iterator[str]:
    mapping = inferred.mapping
    columns = {column.column: column for column in mapping.columns}
    width = max(len(printable(seen.column)) for seen in inferred.columns)
    yield "The first rows suggest this mapping:"
    for seen in inferred.columns:
        if seen.column in (mapping.user, mapping.visitor):
            meaning = "the user's id" if seen.column == mapping.user else "the visitor's id"
        elif seen.column in columns:
            meaning = _meaning(columns[seen.column], inferred.rows)
        else:
            meaning = "ignored"
        yield f"  {printable(seen.column):<{width}}  {meaning}"


def _meaning(column: Column, rows: Iterable[ReadRow]) -> str:
    match column:
        case TagColumn():
            return "a tag"
        case ListColumn():
            return f"tags, separated by '{column.separator}'"
        case FlagColumn():
            return f"the tag {column.yes}"
        case ValueColumn():
            above = f"{column.branch}/"
            found = next((tag for row in rows for tag in row.tags if tag.startswith(above)), None)
            return f"tags {above}…" + ("" if found is None else f", such as {found}")
        case BandsColumn():
            return f"tags for bands of numbers, such as {column.bands[0].tag}"
        case AttributeColumn():
            return f"the attribute {printable(column.attribute)}"
        case _:
            assert_never(column)


def _commands(wanted: Wanted, inferred: InferredMapping, context: typer.Context, user: str | None) -> Iterator[str]:
    file = context.params["file"]
    name = "FILE" if file == "-" else file
    named = () if user is None else ("--user-column", user)
    options = list(_options(context.command.params, context.params))
    form = ("--format", wanted.format) if "--format" in options else ()
    if inferred.mapping.columns:
        propose_it = shlex.join(["tagloom", "mapping", "infer", name, *form, *named])
        yield "Check the mapping, correct it, and apply it:"
        yield f"  {propose_it} > mapping.json"
        yield "  " + shlex.join(["tagloom", "import", name, *options, "--mapping", "mapping.json"])
    else:
        yield "No column looks like tags."
    person = inferred.mapping.user or inferred.mapping.visitor or "…"
    kind = "--visitor-column" if inferred.mapping.user is None else "--user-column"
    if wanted.format in ("csv", "parquet"):
        both = shlex.join(["tagloom", "import", name, *options, kind, person])
        yield "If one column has complete tags:"
        yield f"  {both} --tag-column COLUMN"
        yield "To add one tag to everyone in the file:"
        yield f"  {both} --tag TAG"


def _options(known: Iterable[Any], values: Mapping[str, Any]) -> Iterator[str]:
    """Yields the options of the command that differ from their defaults, except the options in _NOT_REPEATED."""
    for each in known:
        value = values.get(each.name)
        if each.name in _NOT_REPEATED or value is None or value == each.default:
            continue
        if value is True:
            yield each.opts[0]
        else:
            yield from (each.opts[0], str(value))
