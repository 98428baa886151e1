"""Imports a file for a command: uploads the file, plans or runs the import, and reports the progress."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, get_args

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem, all_problems
from tagloom.base.text import plural
from tagloom.cli.interrupts import on_stop, set_stop_message
from tagloom.cli.local_place import Plain
from tagloom.cli.site import ImportRequest, OnRows, Site
from tagloom.files import ids_mapping, plain_mapping
from tagloom.files.decoding import opened
from tagloom.files.decompression import read_bytes
from tagloom.files.delimited_records import columns_invalid
from tagloom.files.headers import Selection, open_table
from tagloom.files.json_body import lines_of_json
from tagloom.files.record_reader import read_records
from tagloom.imports.folder import chunks_of, compression_at
from tagloom.imports.lifecycle import import_format_of
from tagloom.imports.problems import ImportHeld, ImportStateWrong
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import ENDED, ImportFormat
from tagloom.words.mappings import Encoding, ListColumn, Mapping, TagColumn, parse_mapping, parse_mapping_toml
from tagloom.words.problems import MappingInvalid, MirrorEmpty
from tagloom.words.receipts import Mode, Receipt, Rejected
from tagloom.words.source_addresses import Remote, parse_address
from tagloom.words.tags import parse_tag

FileFormat = Literal["csv", "ndjson", "parquet", "json"]
OnBytes = Callable[[int], None]
STANDARD_INPUT = Path("-")
_NAMES = {STANDARD_INPUT: "standard input"}
_STOPPED = (
    "Stopped. Applied steps stay. Run the same command again to continue: nothing is applied twice. "
    "`tagloom history` lists the versions, and `tagloom undo` undoes them."
)
_PLAIN_COLUMNS = ("user", "visitor", "tag")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file or an address to import, and its options.

    The columns are used only for CSV and Parquet without a mapping. They cannot be used with an address.

    `mapping` is a file or the name of a mapping of the space. If `share_removed_max` is None, the import never requires
    approval because of what it removes.
    """

    file: Path | Remote
    format: FileFormat
    mode: Mode = "add"
    prefix: str | None = None
    lowercase: bool = False
    allow_empty: bool = False
    allow_unreadable: bool = False
    user_column: str = "user"
    visitor_column: str = "visitor"
    tag_column: str = "tag"
    mapping: str | None = None
    share_removed_max: int | None = None
    # If True, only the plan is computed.
    is_dry_run: bool = False
    starts_at: str | None = None
    expires_at: str | None = None
    ttl: str | None = None
    # The tag that all people in the file get. The file has no tags.
    tag: str | None = None
    encoding: Encoding = "utf-8"

    @property
    def name(self) -> str:
        """The name of the file, without its folder or address."""
        return name_of(self.file)


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an import: its receipt, and the plan of a dry run."""

    receipt: Receipt
    versions: tuple[int, ...]
    plan: Plain | None
    warnings: tuple[str, ...] = ()
    # True if the file has rows and all of them were rejected.
    is_all_rejected: bool = False


def name_of(file: Path | Remote) -> str:
    """Returns the name of a file, or of the file at an address. Raises: AddressRefused."""
    if isinstance(file, Path):
        # Python reads bytes of a file name that are not UTF-8 as lone surrogates. No database stores them.
        return _NAMES.get(file, file.name.encode("utf-8", "backslashreplace").decode())
    address = parse_address(file.url)
    return address.name or address.host


def file_format(file: Path | Remote, named: str | None) -> FileFormat:
    """Returns the format that `named` or else the file name shows. Raises: AddressRefused, ParameterInvalid."""
    if named is not None:
        for known in get_args(FileFormat):
            if named == known:
                return known  # type: ignore[no-any-return]  # One of its own values.
        raise ParameterInvalid(f"--format must be one of {', '.join(get_args(FileFormat))}, not '{named}'.")
    name = name_of(file)
    if file == STANDARD_INPUT:
        raise ParameterInvalid("The format of standard input is unknown. Use --format.")
    if name.lower().endswith(".json"):
        return "json"
    if name.lower().endswith(".txt"):
        raise ParameterInvalid(f"The format of '{name}' is unknown. Use --format.")
    try:
        return import_format_of(name)
    except BodyInvalid as problem:
        raise ParameterInvalid(f"{problem.detail} Use --format.") from problem


@contextmanager
def imported(site: Site, wanted: Wanted, on_bytes: OnBytes, on_rows: OnRows) -> Iterator[tuple[Imported, str]]:
    """Imports a file. Yields the result and the id of the import.

    The rejected rows can be read until the block ends. Then the file is deleted. After a dry run, or after a failure
    that applied nothing, the import is deleted, too.

    Raises: the problems of reading and applying; ImportHeld: the import requires approval.
    """
    if isinstance(wanted.file, Remote):
        id, rows = _fetched(site, wanted, wanted.file, on_bytes), None
    else:
        sent = _SentFile(wanted.file, wanted.format, on_bytes)
        id = str(site.create_import(_import_request(wanted, wanted.file), sent.chunks())["id"])
        rows = sent.rows
    with on_stop(_STOPPED, lambda: site.give_up_import(id)):
        is_kept = False
        try:
            run = _run_to_end(site, wanted, id, lambda read, total: on_rows(read, total or rows))
            is_kept = not wanted.is_dry_run
            yield _imported(site, wanted, run), id
        except KeyboardInterrupt:
            run = _cancelled(site, id)
            set_stop_message(_stopped_sentence(run["tally"], is_done=run["state"] == "done"))
            raise
        finally:
            if is_kept or _has_applied(site, id):
                site.delete_import_file(id)
            else:
                site.delete_import(id)


def _fetched(site: Site, wanted: Wanted, remote: Remote, on_bytes: OnBytes) -> str:
    """Imports from an address, and waits until its file is fetched. Returns the id of the import.

    Raises: the problem of the import if it failed. The import is then deleted.
    """
    if (wanted.user_column, wanted.visitor_column, wanted.tag_column) != _PLAIN_COLUMNS and wanted.mapping is None:
        raise ParameterInvalid("An address needs a --mapping for its columns.", parameter="mapping")
    seen = 0

    def on_size(size: int) -> None:
        nonlocal seen
        on_bytes(max(size - seen, 0))
        seen = max(size, seen)

    run = site.create_import_from_url(_import_request(wanted, None), remote, on_size)
    if run["state"] != "waiting":
        site.delete_import(str(run["id"]))
        raise _problem_of(run)
    on_size(int(run["size_bytes"]))
    return str(run["id"])


def _cancelled(site: Site, id: str) -> Plain:
    """Cancels an import, unless it ended in the meantime. Returns the import. Raises: the problem of the cancelling."""
    try:
        site.ask_import(id, "cancel")
    except Problem:
        run = site.wait_for_import(id, lambda rows, total: None)
        if run["state"] in ENDED:
            return run
        raise
    return site.wait_for_import(id, lambda rows, total: None)


def _stopped_sentence(tally: Plain, *, is_done: bool) -> str:
    """Returns the message about an interrupted import, with the effect of its steps."""
    steps, versions = tally["steps"], tally["versions"]
    if not steps:
        return "Stopped. Nothing was applied. Run the same command again to import the file."
    named = ", ".join(f"{version:,}" for version in versions) or "none"
    applied = f"{plural(steps, 'step')}, {plural(tally['added'], 'tagging')} added"
    next_step = "" if is_done else "Run the same command again to continue: nothing is applied twice. "
    return (
        f"Stopped{' after the end of the import' if is_done else ''}. Applied: {applied}, "
        f"{tally['removed']:,} removed. Versions: {named}. {next_step}`tagloom undo` undoes versions."
    )


def _has_applied(site: Site, id: str) -> bool:
    run = site.wait_for_import(id, lambda rows, total: None)
    return bool(run["tally"]["steps"])


def _run_to_end(site: Site, wanted: Wanted, id: str, on_rows: OnRows) -> Plain:
    """Runs or plans an import, and waits for its end. Returns the import.

    Raises: MirrorEmpty; ImportHeld; the problem of the import if it failed.
    """
    site.ask_import(id, "plan" if wanted.is_dry_run else "run")
    while True:
        run = site.wait_for_import(id, on_rows)
        match run["state"], run["hold"]:
            case ("done", _) | ("planned", _):
                return run
            case "held", "plan-changed" if wanted.share_removed_max is None:
                # No approval is required. Other writers made the plan outdated, so the new plan is applied.
                site.ask_import(id, "approve")
            case "held", "lines-unreadable" if wanted.allow_unreadable and wanted.is_dry_run:
                # The plan was computed before the import was held.
                return run
            case "held", "lines-unreadable" if wanted.allow_unreadable:
                site.ask_import(id, "approve")
            case "held", hold:
                site.ask_import(id, "cancel")
                if hold == "source-empty":
                    raise MirrorEmpty(f"{run['detail']} Use --allow-empty to apply it. Nothing was applied.")
                remedy = " Use --allow-unreadable to apply it." if hold == "lines-unreadable" else ""
                raise ImportHeld(f"{run['detail']}{remedy} Nothing was applied.")
            case _:
                raise _problem_of(run)


def _problem_of(run: Plain) -> Problem:
    """Returns the problem of an import that did not finish."""
    versions = run["tally"]["versions"]
    applied = f" These versions were applied and stay: {', '.join(map(str, versions))}." if versions else ""
    detail = (run["detail"] or f"The import is {run['state']}.") + applied
    known = {each.slug(): each for each in all_problems()}
    return known.get(run["problem"] or "", ImportStateWrong)(detail)


def _imported(site: Site, wanted: Wanted, run: Plain) -> Imported:
    warnings = tuple((run["plan"] or {}).get("warnings", ()))
    rows = run["rows_total"]
    rejected = tuple(islice(site.list_rejected(str(run["id"])), ports_limits.REJECTED_PER_RECEIPT_MAX))
    if wanted.is_dry_run:
        receipt = msgspec.convert(run["plan"]["preview"]["receipt"], Receipt)
        receipt = msgspec.structs.replace(receipt, dry_run=True, rejected=rejected)
        return Imported(
            receipt=receipt,
            versions=(),
            plan=run["plan"],
            warnings=warnings,
            is_all_rejected=receipt.rejected_count == rows != 0,
        )
    tally = run["tally"]
    versions = tuple(tally["versions"])
    counted = {name: tally[name] for name in tally if name in Receipt.__struct_fields__}
    version = versions[-1] if versions else site.version()
    receipt = Receipt(version=version, rejected=rejected, **counted)
    return Imported(
        receipt=receipt,
        versions=versions,
        plan=None,
        warnings=warnings,
        is_all_rejected=receipt.rejected_count == rows != 0,
    )


def rejected_lines(site: Site, id: str) -> Iterator[list[Rejected]]:
    """Yields all rejected lines of an import, in batches."""
    lines = site.list_rejected(id)
    while some := list(islice(lines, ports_limits.REJECTED_PER_RECEIPT_MAX)):
        yield some


# Reading the file.


@contextmanager
def regular_file(file: Path) -> Iterator[Path]:
    """Yields the path of a file. If the file is a pipe or standard input, yields the path of a copy."""
    if file != STANDARD_INPUT and file.is_file():
        yield file
        return
    with TemporaryDirectory(prefix="tagloom-import-") as folder:
        copy = Path(folder, name_of(file))
        reading = nullcontext(sys.stdin.buffer) if file == STANDARD_INPUT else file.open("rb")
        with reading as source, copy.open("wb") as target:
            while chunk := source.read(base_limits.UPLOAD_CHUNK_BYTES):
                target.write(chunk)
        yield copy


@contextmanager
def with_regular_file(wanted: Wanted) -> Iterator[Wanted]:
    """Yields the same options with a file that can be read several times until the block ends."""
    if isinstance(wanted.file, Remote):
        yield wanted
        return
    with regular_file(wanted.file) as path:
        yield replace(wanted, file=path)


class _SentFile:
    """The bytes of a file that is sent. `rows` is the approximate number of its rows, or None if it is unknown."""

    def __init__(self, path: Path, format: FileFormat, on_bytes: OnBytes) -> None:
        self._path = path
        self._format = format
        self._on_bytes = on_bytes
        self.rows: int | None = None

    def chunks(self) -> Iterator[bytes]:
        chunks = chunks_of(self._path)
        for chunk in lines_of_json(chunks) if self._format == "json" else chunks:
            yield chunk
            self._on_bytes(len(chunk))
            if self._format != "parquet":
                self.rows = (self.rows or 0) + chunk.count(b"\n")
        if compression_at(self._path) != "none":
            self.rows = None
        if self._format == "parquet":
            self.rows = _parquet_rows(self._path)


def _parquet_rows(path: Path) -> int | None:
    try:
        rows: int = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        # The import reports the problem of the file.
        return None
    return rows


def _import_request(wanted: Wanted, path: Path | None) -> ImportRequest:
    format: ImportFormat = "ndjson" if wanted.format == "json" else wanted.format
    mapping, kept = None, None
    if wanted.tag is not None:
        if wanted.mapping is not None:
            raise ParameterInvalid("Use --mapping or --tag, not both.", parameter="tag")
        mapping = replace(
            ids_mapping(parse_tag(wanted.tag), wanted.user_column, wanted.visitor_column), encoding=wanted.encoding
        )
    elif wanted.mapping is None:
        mapping = None if path is None else _columns_mapping(wanted, path, format)
    elif Path(wanted.mapping).is_file():
        mapping = read_mapping(Path(wanted.mapping))
    else:
        kept = wanted.mapping
    return ImportRequest(
        name=wanted.name[: base_limits.CHARACTERS_PER_SOURCE_MAX],
        format=format,
        mode=wanted.mode,
        prefix=wanted.prefix or "",
        lowercase=wanted.lowercase,
        allow_empty=wanted.allow_empty,
        share_removed_max=100 if wanted.share_removed_max is None else wanted.share_removed_max,
        mapping=mapping,
        saved_mapping=kept,
        starts_at=wanted.starts_at,
        expires_at=wanted.expires_at,
        ttl=wanted.ttl,
    )


def read_mapping(file: Path) -> Mapping:
    """Reads a mapping from a TOML or JSON file. Raises: MappingInvalid."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MappingInvalid(f"{file.name} is not UTF-8 text.", value=file.name) from error
    return parse_mapping(text) if file.suffix.lower() == ".json" else parse_mapping_toml(text, file.name)


def _columns_mapping(wanted: Wanted, path: Path, format: ImportFormat) -> Mapping | None:
    """Returns the mapping that the column options mean, or None for the plain form.

    Raises: BodyInvalid, ColumnsInvalid.
    """
    user, visitor, tag = wanted.user_column, wanted.visitor_column, wanted.tag_column
    is_plain = (user, visitor, tag) == _PLAIN_COLUMNS and wanted.encoding == "utf-8"
    if format == "ndjson" or is_plain:
        return None
    if format == "csv":
        with closing(opened(read_bytes(path, compression_at(path)), encoding=wanted.encoding)) as text:
            names = open_table(text, Selection(plain_mapping(user, visitor, tag), is_plain=True)).names
    else:
        names = list(read_records(path, format, compression_at(path)).names)
    lists = ["tags"] if format == "parquet" else []
    column = next((name for name in (tag, *lists) if name in names), None)
    if column is None or not {user, visitor} & set(names):
        raise columns_invalid(names, user=user, visitor=visitor, tags=[tag, *lists])
    return Mapping(
        user=user if user in names else None,
        visitor=visitor if visitor in names else None,
        # Tags are not changed, as in the plain form.
        columns=(TagColumn(column=column, steps=()) if column == tag else ListColumn(column=column, steps=()),),
        encoding=wanted.encoding,
    )
