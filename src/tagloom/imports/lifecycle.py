"""The use cases of imports: the actions of callers, and the states in which each action is allowed.

An action changes the stored import. A worker of any process reads the change and carries it out.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Required, TypedDict, Unpack

import msgspec
from msgspec.structs import replace

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, ContentTypeUnsupported, ParameterInvalid
from tagloom.base.times import rfc3339, rfc3339_of
from tagloom.imports import limits
from tagloom.imports.folder import Folder, ImportFileDamaged, Stored, chunks_of
from tagloom.imports.mapping_inference import Beginning, beginning_of
from tagloom.imports.problems import ImportFileGone, ImportStateWrong, TooManyImports
from tagloom.imports.rejected_rows import read_rejected_rows
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import (
    ASKING,
    ENDED,
    WORKED_ON,
    Import,
    ImportCount,
    ImportFormat,
    ImportState,
    ImportStore,
    Tally,
)
from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused, ImportChanged, ImportNotFound
from tagloom.ports.writes import Undo, WriteOptions
from tagloom.tagging.undo import undone_by
from tagloom.words.changes import Origin, Version
from tagloom.words.mappings import Mapping, check_mapping, check_mode
from tagloom.words.periods import PeriodTexts, period_texts
from tagloom.words.receipts import Done, Mode, Rejected
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag
from tagloom.words.tenants import Environment

_SECONDS_TO_BEGIN = 10.0  # The time from the creation of an upload's folder to its first byte.
_TRIES = 20  # Attempts at a change while other callers change the import.
# In these states the tally is computed from the steps, because a process may die after a cancellation before it stores
# the tally.
_TALLIED_BY_STEPS: tuple[ImportState, ...] = ("running", "paused", "cancelled")


class How(TypedDict, total=False):
    """The options that decide how a file is applied.

    Without `format`, the file name decides. Without a mapping, the records have the plain form: `user` or `visitor` and
    `tag` in columns, or the objects of a bulk write. A repeated `key` returns the import that the first request
    created, while that import is stored. The other fields are those of `Import`.
    """

    name: Required[str]
    by: Required[str]
    mapping: Mapping | None
    mapping_name: str | None
    mode: Mode
    prefix: str
    lowercase: bool
    format: ImportFormat | None
    share_removed_max: float | None
    owner: str
    allow_empty: bool
    starts_at: str | None
    expires_at: str | None
    ttl: str | None
    key: str | None


class Imports:
    """The use cases of the imports of an installation.

    Every method that takes an import's id raises ImportNotFound.
    """

    def __init__(
        self,
        control: ImportStore,
        folder: Path,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self.folder = Folder(folder)
        self._population_of = population_of
        self._now = now
        self._on_work: list[Callable[[], None]] = []

    def on_work(self, call: Callable[[], None]) -> None:
        """Calls `call` whenever an import gets work, so that the worker of this process need not wait for its poll."""
        self._on_work.append(call)

    def count_imports(self) -> tuple[ImportCount, ...]:
        """Returns the number of imports in each state, in all environments."""
        return self._control.count_imports()

    # Uploads.

    def create_import(
        self, environment: Environment, source: Path | Stored | Iterable[bytes], **how: Unpack[How]
    ) -> Import:
        """Stores a file as an import that waits for a plan or a run. A `Stored` file is not stored again.

        The first bytes of the file decide its compression.

        Raises:
            BodyInvalid: the file is empty, or has no known format.
            BodyTooLarge, TooManyImports, IdempotencyKeyReused.
            MappingInvalid, TagProblem, ContentTypeUnsupported: the mapping, the prefix or the mode is wrong.
            StartInvalid, ExpiryInvalid.
        """
        try:
            draft = self._draft(environment, how)
            stored = source if isinstance(source, Stored) else self.store(environment, source)
        except BaseException:
            if isinstance(source, Stored):
                self.folder.delete(source.id)
            raise
        key = how.get("key")
        if key is None:
            return self._add(draft, stored)
        return self._add_once(environment, draft, stored, key, _fingerprint(draft, how, stored.digest))

    def expect_file(self, environment: Environment, remote: Remote, **how: Unpack[How]) -> Import:
        """Adds an import whose file will be fetched. Raises: the errors of `create_import`."""
        draft, key = replace(self._draft(environment, how), state="fetching", remote=remote), how.get("key")
        id = secrets.token_hex(12) if key is None else _keyed_id(environment, key)
        fingerprint = "" if key is None else _fingerprint(draft, how, "")
        if key is None or self._find_repeated(environment, id, fingerprint) is None:
            self._check_room(environment)
            try:
                self._control.add_import(replace(draft, id=id, fingerprint=fingerprint))
            except ImportChanged:
                # Another caller requested the same import at the same moment.
                self._find_repeated(environment, id, fingerprint)
        return self.get(environment, id)

    def format_of(self, name: str) -> ImportFormat:
        """Returns the format that a file's name shows. Raises: BodyInvalid."""
        return import_format_of(name)

    def _draft(self, environment: Environment, how: How) -> Import:
        """Returns an import without a file. Raises: the errors of `create_import`."""
        name = how["name"]
        starts_at, expires_at, lasts = period_texts(
            how.get("starts_at"), how.get("expires_at"), how.get("ttl"), self._now()
        )
        draft = Import(
            id="",
            space=environment.space,
            environment=environment.name,
            name=name[: base_limits.CHARACTERS_PER_SOURCE_MAX],
            format=how.get("format") or import_format_of(name),
            compression="none",
            size_bytes=0,
            by=how["by"],
            created_at=rfc3339(self._now()),
            mode=how.get("mode", "add"),
            prefix=how.get("prefix", ""),
            lowercase=how.get("lowercase", False),
            mapping=how.get("mapping"),
            mapping_name=how.get("mapping_name"),
            share_removed_max=how.get("share_removed_max", ports_limits.IMPORT_SHARE_REMOVED_DEFAULT),
            owner=how.get("owner", ""),
            allows_empty=how.get("allow_empty", False),
            expires_at=expires_at,
            ttl=lasts,
            starts_at=starts_at,
        )
        _check(draft)
        return draft

    def store(self, environment: Environment, source: Path | Iterable[bytes]) -> Stored:
        """Stores a file before the options of its import are known. Pass the result to `create_import`.

        Raises: BodyTooLarge, DiskFull, TooManyImports, and the errors of `source`.
        """
        self._check_room(environment)
        return self.folder.store(chunks_of(source) if isinstance(source, Path) else source)

    def discard(self, stored: Stored) -> None:
        """Deletes a stored file that no import has. Does nothing if it is deleted already."""
        self.folder.delete(stored.id)

    def _check_room(self, environment: Environment) -> None:
        self._delete_old_files()
        listed = self._control.list_imports(environment.space, environment.name, limit=base_limits.PAGE_ITEMS_MAX)
        kept = [run for run in listed if run.has_file]
        if len(kept) >= limits.UPLOADS_KEPT_MAX:
            raise TooManyImports(
                f"{limits.UPLOADS_KEPT_MAX} files are stored. Delete one first.", files_max=limits.UPLOADS_KEPT_MAX
            )

    def _add(self, draft: Import, stored: Stored) -> Import:
        """Adds the import of a stored file. On failure, deletes the file. Raises: BodyInvalid."""
        run = replace(draft, id=stored.id, size_bytes=stored.size, compression=stored.compression, digest=stored.digest)
        try:
            check_file(run)
            self._control.add_import(run)
        except BaseException:
            self.folder.delete(stored.id)
            raise
        return run

    def _add_once(self, environment: Environment, draft: Import, stored: Stored, key: str, fingerprint: str) -> Import:
        """Adds the import of an idempotency key, or returns the stored import.

        Raises: BodyInvalid, IdempotencyKeyReused.
        """
        id = _keyed_id(environment, key)
        run = replace(
            draft,
            id=id,
            size_bytes=stored.size,
            compression=stored.compression,
            fingerprint=fingerprint,
            digest=stored.digest,
        )
        try:
            check_file(run)
            found = self._find_repeated(environment, id, fingerprint)
            if found is None:
                try:
                    self._control.add_import(run)
                except ImportChanged:
                    # Another caller uploaded the same file at the same moment.
                    found = self._find_repeated(environment, id, fingerprint)
            if found is None or (found.has_file and not self._is_whole(found)):
                # The import is added before the file is moved. If the process dies in between, the next attempt moves
                # the file.
                self.folder.move(stored.id, id)
        finally:
            self.folder.delete(stored.id)
        return self.get(environment, id)

    def _is_whole(self, run: Import) -> bool:
        """Returns whether the file of an import is in the folder and has the uploaded bytes."""
        try:
            self.folder.check(run.id, run.size_bytes, run.digest)
        except (ImportFileGone, ImportFileDamaged):
            return False
        return True

    def _find_repeated(self, environment: Environment, id: str, fingerprint: str) -> Import | None:
        """Returns the import of a repeated key, or None for a new key.

        Raises: IdempotencyKeyReused: the file or its settings differ.
        """
        try:
            found = self.get(environment, id)
        except ImportNotFound:
            return None
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReused("This key was used for another file, or for other settings.")
        return found

    def configure(
        self,
        environment: Environment,
        id: str,
        *,
        mapping: Mapping | None,
        mapping_name: str | None = None,
        mode: Mode,
        prefix: str = "",
        lowercase: bool = False,
        share_removed_max: float | None = ports_limits.IMPORT_SHARE_REMOVED_DEFAULT,
        period: PeriodTexts | None = None,
    ) -> Import:
        """Changes how the file will be applied, before any step of the import is applied.

        `period` is the period of added tags; None keeps the stored one.

        Raises: ImportStateWrong, and the errors of `create_import`.
        """

        def changed(run: Import) -> Import:
            stored = PeriodTexts(run.starts_at, run.expires_at, run.ttl) if period is None else period
            put = replace(
                _to(run, "waiting"),
                mapping=mapping,
                mapping_name=mapping_name,
                mode=mode,
                prefix=prefix,
                lowercase=lowercase,
                share_removed_max=share_removed_max,
                starts_at=stored.starts_at,
                expires_at=stored.expires_at,
                ttl=stored.ttl,
                plan=None,
                is_approved=False,
            )
            _check(put)
            return put

        return self._change(environment, id, ("waiting", "planned", "held", "failed"), changed, is_untouched=True)

    # Reading.

    def get(self, environment: Environment, id: str) -> Import:
        """Returns one import, with the tally of its steps so far."""
        run = self._control.get_import(id)
        if (run.space, run.environment) != (environment.space, environment.name):
            raise ImportNotFound("This environment has no such import.", value=id[:64])
        return self._with_progress(environment, run)

    def list(self, environment: Environment, *, limit: int, before: str | None = None) -> tuple[Import, ...]:
        """Returns the imports of an environment, newest first, starting after the id `before`."""
        found = self._control.list_imports(environment.space, environment.name, limit=limit, before=before)
        return tuple(self._with_progress(environment, run) for run in found)

    def beginning(self, environment: Environment, id: str) -> Beginning:
        """Returns the columns and first rows of the import's file.

        Raises: ImportFileGone, BodyInvalid, ColumnsInvalid.
        """
        run = self.get(environment, id)
        return beginning_of(self._path(run), run.format, run.compression)

    def _path(self, run: Import) -> Path:
        path = self.folder.path(run.id)
        if not run.has_file or not path.exists():
            raise ImportFileGone("The file was deleted.")
        self.folder.check_length(run.id, run.size_bytes)
        return path

    def rejected(self, environment: Environment, id: str) -> Iterator[Rejected]:
        """Returns the lines that the committed steps of an import rejected, in the order of the lines.

        Without steps, returns the first rejected lines of the plan.
        """
        run = self.get(environment, id)
        population = self._population_of(environment)
        if population.steps(id) or run.plan is None:
            return population.rejected_in(id)
        return iter(run.plan.preview.receipt.rejected)

    def rejected_rows(self, environment: Environment, id: str) -> Iterator[bytes]:
        """Returns the chunks of a file with the rejected rows and their reasons. See `read_rejected_rows`.

        Raises: ImportFileGone, at once.
        """
        run = self.get(environment, id)
        return read_rejected_rows(self._path(run), run, self.rejected(environment, id))

    def _with_progress(self, environment: Environment, run: Import) -> Import:
        if run.state == "fetching":
            remote = None if run.remote is None else run.remote.without_query()
            return replace(run, size_bytes=self.folder.size_so_far(run.id), remote=remote)
        if run.state in ENDED and run.tally.versions and not run.undone:
            return replace(run, undone=self._undone_by(environment, run.tally.versions))
        if run.state not in _TALLIED_BY_STEPS:
            return run
        return replace(run, tally=tally_of(self._population_of(environment).steps(run.id)))

    def _undone_by(self, environment: Environment, versions: Sequence[Version]) -> tuple[Version, ...]:
        """Returns the versions that undid an import without its own undo; none unless all its versions are undone."""
        population = self._population_of(environment)
        found = [undone_by(population, version) for version in versions]
        return tuple(sorted({each for each in found if each is not None})) if None not in found else ()

    # Actions.

    def plan(self, environment: Environment, id: str) -> Import:
        """Requests a plan of the import. Raises: ImportStateWrong, ImportFileGone."""
        return self._change(
            environment,
            id,
            ("waiting", "planned", "held", "failed"),
            lambda run: replace(_to(run, "planning"), runs_after_plan=False, plan=None, began_at=self._at()),
            is_untouched=True,
        )

    def run(self, environment: Environment, id: str, *, goes_on: bool = False) -> Import:
        """Requests a run of the import.

        A mode that can remove tags is planned first, unless the import has a plan or no limit of removals. After a
        failure, the run continues at the next step. With `goes_on`, neither the limit of removals nor an outdated plan
        stops the run.

        Raises: ImportStateWrong, ImportFileGone.
        """

        def changed(run: Import) -> Import:
            began = replace(run, is_approved=run.is_approved or goes_on, began_at=rfc3339(self._now()))
            return _begun(began)

        return self._change(environment, id, ("waiting", "planned", "failed"), changed)

    def approve(self, environment: Environment, id: str) -> Import:
        """Approves a held import, which runs by a new plan, or a planned import, which runs whatever it removes.

        Raises: ImportStateWrong, ImportFileGone.
        """

        def changed(run: Import) -> Import:
            is_held = run.state == "held"
            share = run.share_removed_max if is_held else None
            return _begun(replace(run, is_approved=is_held, share_removed_max=share, began_at=self._at()))

        return self._change(environment, id, ASKING, changed)

    def pause(self, environment: Environment, id: str) -> Import:
        """Pauses the import after the step that is being applied. Raises: ImportStateWrong."""
        return self._change(environment, id, ("planning", "running"), lambda run: _to(run, "paused"))

    def resume(self, environment: Environment, id: str) -> Import:
        """Continues a paused import. Raises: ImportStateWrong, ImportFileGone."""
        return self._change(environment, id, ("paused",), lambda run: _begun(replace(run, began_at=self._at())))

    def cancel(self, environment: Environment, id: str, *, by: str, undo: bool = False) -> Import:
        """Cancels the import, so that no process applies a further step. With `undo`, the applied steps are undone.

        Raises: ImportStateWrong; with `undo`, the errors of `undo`.
        """
        states: tuple[ImportState, ...] = ("fetching", "waiting", "planning", "planned", "held", "running", "paused")
        run = self._change(environment, id, states, self._cancelled, needs_file=False)
        if not run.has_file:
            self.folder.delete(id)
        done = self._population_of(environment).seal(id)
        run = self._change(
            environment, id, ("cancelled",), lambda run: replace(run, tally=tally_of(done)), needs_file=False
        )
        return self.undo(environment, id, by=by) if undo else run

    def give_up(self, environment: Environment, run: Import) -> None:
        """Cancels the import of an interrupted command and deletes its file.

        If no step was applied, deletes the import, too.
        """
        if self.cancel(environment, run.id, by=run.by).tally.steps:
            self.delete_file(environment, run.id)
        else:
            self.delete(environment, run.id)

    def undo(self, environment: Environment, id: str, *, by: str) -> Import:
        """Undoes all versions of an ended import in one version. Skips versions that are already undone.

        Raises: ImportStateWrong, UndoConflict, UndoTooLarge.
        """
        self._change(environment, id, ENDED, lambda run: run, needs_file=False)
        population = self._population_of(environment)
        done = population.seal(id)
        if versions := self.versions_not_undone(environment, id):
            population.write(Undo(tuple(versions)), WriteOptions(Origin(by, f"import {id}")))
        # The undone versions are read from the history. If a process dies after the undo, the next attempt stores them.
        changes = [population.get_change(version) for version in tally_of(done).versions]
        undone = {change.undone_by for change in changes if change.undone_by is not None}
        return self._change(
            environment,
            id,
            ENDED,
            lambda run: replace(run, tally=tally_of(done), undone=tuple(sorted({*run.undone, *undone}))),
            needs_file=False,
        )

    def versions_not_undone(self, environment: Environment, id: str) -> tuple[Version, ...]:
        """Returns the versions that the import made and that are not undone."""
        population = self._population_of(environment)
        versions = [step.version for step in population.steps(id) if step.version is not None]
        return tuple(version for version in versions if undone_by(population, version) is None)

    def delete(self, environment: Environment, id: str) -> None:
        """Deletes the import and its file. The applied changes stay. Raises: ImportStateWrong."""
        states: tuple[ImportState, ...] = ("waiting", "planned", "held", *ENDED)
        self._change(environment, id, states, lambda run: run, needs_file=False)
        self._control.delete_import(id)
        self.folder.delete(id)

    def delete_file(self, environment: Environment, id: str) -> Import:
        """Deletes the file of an ended import; the import itself stays. Raises: ImportStateWrong."""
        run = self._change(environment, id, ENDED, lambda run: replace(run, has_file=False), needs_file=False)
        self.folder.delete(id)
        return run

    # Helpers.

    def _cancelled(self, run: Import) -> Import:
        has_file = run.has_file and run.state != "fetching"
        return replace(_to(run, "cancelled"), ended_at=self._at(), has_file=has_file)

    def _at(self) -> str:
        return rfc3339(self._now())

    def _change(
        self,
        environment: Environment,
        id: str,
        states: tuple[ImportState, ...],
        changed: Callable[[Import], Import],
        *,
        is_untouched: bool = False,
        needs_file: bool = True,
    ) -> Import:
        """Changes an import that is in one of these states.

        With `is_untouched`, no step of the import may be applied. With `needs_file`, the file must not be deleted.

        Raises: ImportStateWrong, ImportFileGone, ImportChanged.
        """
        for _ in range(_TRIES):
            run = self.get(environment, id)
            if run.state not in states:
                raise ImportStateWrong(
                    f"The import has the state {run.state}. This action needs the state {' or '.join(states)}.",
                    state=run.state,
                )
            if needs_file and not run.has_file:
                raise ImportFileGone("The file was deleted. Upload it again.")
            if is_untouched and self._population_of(environment).steps(id):
                raise ImportStateWrong("A part of the import was already applied.", state=run.state)
            try:
                put = self._control.put_import(changed(run))
            except ImportChanged:
                continue
            for call in self._on_work:
                call()
            return self._with_progress(environment, put)
        raise ImportChanged("Other callers keep changing this import. Try again.")

    def _delete_old_files(self) -> None:
        """Deletes files that are older than their retention, and parts of uploads whose process died.

        The imports themselves stay.
        """
        for id in self.folder.left_unfinished(self._now() - _SECONDS_TO_BEGIN):
            try:
                self._control.get_import(id)
            except ImportNotFound:
                self.folder.delete(id)
        for id in self.folder.older_than(self._now() - limits.UPLOAD_DAYS_KEPT * 86_400):
            try:
                run = self._control.get_import(id)
                if run.state in WORKED_ON:
                    continue
                self._control.put_import(replace(run, has_file=False))
            except ImportNotFound:
                # A process died after it stored the file and before it added the import.
                pass
            except ImportChanged:
                continue
            self.folder.delete(id)


def import_format_of(name: str) -> ImportFormat:
    """Returns the format of an import's file by the file name. Raises: BodyInvalid.

    An Excel workbook is read as the CSV of its first sheet. An old `.xls` file is refused later, by its bytes.
    """
    return "csv" if name.lower().endswith((".xlsx", ".xls")) else format_of(name)


def format_of(name: str) -> ImportFormat:
    """Returns the format of a file by its name, without the suffix of the compression. Raises: BodyInvalid."""
    plain = name.lower().removesuffix(".gz").removesuffix(".zst")
    match plain.rpartition(".")[2]:
        case "csv" | "tsv" | "txt":
            return "csv"
        case "ndjson" | "jsonl":
            return "ndjson"
        case "parquet":
            return "parquet"
    raise BodyInvalid(
        f"The name '{name[:100]}' does not end with .csv, .ndjson or .parquet.", rule="a CSV, NDJSON or Parquet file"
    )


def _keyed_id(environment: Environment, key: str) -> str:
    """Returns the id of the import of an idempotency key. The same key always has the same id."""
    return hashlib.blake2b(f"{environment.key} {key}".encode(), digest_size=12).hexdigest()


def _fingerprint(draft: Import, how: How, digest: str) -> str:
    """Returns a hash of a file and its settings, without the time and the sender of the import.

    Start and expiry are hashed as they were written, because their rounding depends on the time.
    """
    starts_at, expires_at = (rfc3339_of(said) if said else "" for said in (how.get("starts_at"), how.get("expires_at")))
    written = replace(draft, created_at="", by="", mapping_name=None, starts_at=starts_at, expires_at=expires_at)
    return hashlib.blake2b(msgspec.json.encode(written) + digest.encode(), digest_size=16).hexdigest()


def check_file(run: Import) -> None:
    """Checks that a file is not empty, and that its format allows its compression. Raises: BodyInvalid."""
    if not run.size_bytes and run.format != "ndjson":
        raise BodyInvalid("The file is empty.")
    if run.format == "parquet" and run.compression != "none":
        raise BodyInvalid("A Parquet file is compressed internally. Upload it without further compression.")


def tally_of(done: Iterable[Done]) -> Tally:
    """Returns the sums of the receipts of some steps."""
    steps = tuple(done)
    receipts = [step.receipt for step in steps]
    return Tally(
        versions=tuple(step.version for step in steps if step.version is not None),
        steps=len(steps),
        added=sum(each.added for each in receipts),
        removed=sum(each.removed for each in receipts),
        unchanged=sum(each.unchanged for each in receipts),
        renewed=sum(each.renewed for each in receipts),
        scheduled=sum(each.scheduled for each in receipts),
        unscheduled=sum(each.unscheduled for each in receipts),
        new_people=sum(each.new_people for each in receipts),
        new_tags=sum(each.new_tags for each in receipts),
        normalized=sum(each.normalized for each in receipts),
        rejected_count=sum(each.rejected_count for each in receipts),
        attributes=sum(each.attributes for each in receipts),
        new_attributes=sum(each.new_attributes for each in receipts),
        aliases={old: new for each in receipts for old, new in each.aliases.items()},
    )


def _to(run: Import, state: ImportState) -> Import:
    return replace(run, state=state, hold=None, problem=None, detail=None, ended_at=None)


def _begun(run: Import) -> Import:
    """Returns an import in the state for a run.

    It is planned first if it may remove more than allowed without approval.
    """
    is_unbounded = run.share_removed_max is None or run.share_removed_max >= 100
    if run.mode == "add" or run.plan is not None or run.is_approved or is_unbounded:
        return _to(run, "running")
    return replace(_to(run, "planning"), runs_after_plan=True)


def _check(run: Import) -> None:
    if run.prefix:
        parse_tag(run.prefix)
    if run.mapping is not None:
        check_mapping(run.mapping)
        check_mode(run.mapping, run.mode)
    if run.mode == "change" and (run.mapping is not None or run.format != "ndjson"):
        raise ContentTypeUnsupported(
            "Mode 'change' needs NDJSON lines of the plain form, with 'add' and 'remove'.", rule="NDJSON"
        )
    share = run.share_removed_max
    if share is not None and not 0 <= share <= 100:
        raise ParameterInvalid("A share is a percentage from 0 to 100.", parameter="share_removed_max")
