"""The use cases of imports: what a caller may ask of one, in which state, and what it answers.

Asking changes the stored import; a worker, of whatever process, sees the change and acts on it.
"""

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
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
from tagloom.imports.rejected_rows import rows_to_mend
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import ASKING, ENDED, WORKED_ON, Import, ImportFormat, ImportState, ImportStore, Tally
from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused, ImportChanged, ImportNotFound
from tagloom.ports.writes import Undo, WriteOptions
from tagloom.words.expiry import expiry_texts
from tagloom.words.mappings import Mapping, check_mapping
from tagloom.words.model import Done, Environment, Mode, Origin, Rejected, Version
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag

_SECONDS_TO_BEGIN = 10.0  # Between the folder of an upload and its first byte.
_TRIES = 20  # A change that others overtook so often is given up.
# In these the steps tell what was done: the process that cancelled it may be lost before it noted that.
_TOLD_BY_STEPS: tuple[ImportState, ...] = ("running", "paused", "cancelled")


class How(TypedDict, total=False):
    """How a file is to be applied, beside its bytes.

    Without `format` the name tells it. Without a mapping the records are of the plain form: `user` or `visitor` and
    `tag` in columns, or the objects that a bulk write takes. The same key again gives the import that it gave before,
    as long as that is known. The rest is as `Import` has it.
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
    expires_at: str | None
    ttl: str | None
    key: str | None


class Imports:
    """The imports of an installation. Every method with an import's id raises ImportNotFound."""

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
        # Set whenever something is to be done, so that this process's worker does not wait for its next look.
        self.has_work = threading.Event()

    # Bringing.

    def bring_file(
        self, environment: Environment, source: Path | Stored | Iterable[bytes], **how: Unpack[How]
    ) -> Import:
        """Stores a file, which waits to be planned or run; one that `store` took already is not stored again.

        Its compression is told by its first bytes. Raises: BodyInvalid: it is empty, or of no known format;
        BodyTooLarge; TooManyImports; IdempotencyKeyReused; what the mapping, the prefix and the mode together may be
        wrong in: MappingInvalid, TagProblem, ContentTypeUnsupported; ExpiryInvalid.
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
        """An import whose file is to be fetched. Raises: as bringing one."""
        draft, key = replace(self._draft(environment, how), state="fetching", remote=remote), how.get("key")
        id = secrets.token_hex(12) if key is None else _keyed_id(environment, key)
        fingerprint = "" if key is None else _fingerprint(draft, how, "")
        if key is None or self._find_repeated(environment, id, fingerprint) is None:
            self._check_room(environment)
            try:
                self._control.add_import(replace(draft, id=id, fingerprint=fingerprint))
            except ImportChanged:
                # The same was asked for at the same moment.
                self._find_repeated(environment, id, fingerprint)
        return self.get(environment, id)

    def format_of(self, name: str) -> ImportFormat:
        """The format that a file's name tells. Raises: BodyInvalid."""
        return import_format_of(name)

    def _draft(self, environment: Environment, how: How) -> Import:
        """An import without a file. Raises: as bringing one."""
        name = how["name"]
        expires_at, lasts = expiry_texts(how.get("expires_at"), how.get("ttl"), self._now())
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
        )
        _check(draft)
        return draft

    def store(self, environment: Environment, source: Path | Iterable[bytes]) -> Stored:
        """Stores a file of which it is not known yet how it is to be applied; `bring_file` takes it from there.

        Raises: BodyTooLarge, DiskFull, TooManyImports; what `source` raises.
        """
        self._check_room(environment)
        return self.folder.store(chunks_of(source) if isinstance(source, Path) else source)

    def _check_room(self, environment: Environment) -> None:
        self._forget_old()
        listed = self._control.list_imports(environment.space, environment.name, limit=base_limits.PAGE_ITEMS_MAX)
        kept = [run for run in listed if run.has_file]
        if len(kept) >= limits.UPLOADS_KEPT_MAX:
            raise TooManyImports(
                f"{limits.UPLOADS_KEPT_MAX} files are kept; drop one first.", files_max=limits.UPLOADS_KEPT_MAX
            )

    def _add(self, draft: Import, stored: Stored) -> Import:
        """The import of a stored file; without one, the file goes. Raises: BodyInvalid."""
        run = replace(draft, id=stored.id, size_bytes=stored.size, compression=stored.compression, digest=stored.digest)
        try:
            check_file(run)
            self._control.add_import(run)
        except BaseException:
            self.folder.delete(stored.id)
            raise
        return run

    def _add_once(self, environment: Environment, draft: Import, stored: Stored, key: str, fingerprint: str) -> Import:
        """The import of a key: of this file, or the one that is there. Raises: BodyInvalid, IdempotencyKeyReused."""
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
                    # The same was brought at the same moment.
                    found = self._find_repeated(environment, id, fingerprint)
            if found is None or (found.has_file and not self._is_whole(found)):
                # Told of first and moved then: a process that was lost in between is made up for by the next try.
                self.folder.move(stored.id, id)
        finally:
            self.folder.delete(stored.id)
        return self.get(environment, id)

    def _is_whole(self, run: Import) -> bool:
        """Whether the file of an import is here as it was brought."""
        try:
            self.folder.check(run.id, run.size_bytes, run.digest)
        except (ImportFileGone, ImportFileDamaged):
            return False
        return True

    def _find_repeated(self, environment: Environment, id: str, fingerprint: str) -> Import | None:
        """The import of a key that comes again. Raises: IdempotencyKeyReused: with something else."""
        try:
            found = self.get(environment, id)
        except ImportNotFound:
            return None
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReused("This key brought another file, or the same to be applied otherwise.")
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
        expiry: tuple[str, str] | None = None,
    ) -> Import:
        """Says anew how the file is to be applied, before anything of it was.

        `expiry` is what `expiry_texts` returned; None leaves the expiry as it is.
        Raises: ImportStateWrong, as bringing.
        """

        def changed(run: Import) -> Import:
            expires_at, ttl = (run.expires_at, run.ttl) if expiry is None else expiry
            put = replace(
                _to(run, "waiting"),
                mapping=mapping,
                mapping_name=mapping_name,
                mode=mode,
                prefix=prefix,
                lowercase=lowercase,
                share_removed_max=share_removed_max,
                expires_at=expires_at,
                ttl=ttl,
                plan=None,
                is_approved=False,
            )
            _check(put)
            return put

        return self._change(environment, id, ("waiting", "planned", "held", "failed"), changed, is_untouched=True)

    # Reading.

    def get(self, environment: Environment, id: str) -> Import:
        """One import, with what its steps did so far."""
        run = self._control.get_import(id)
        if (run.space, run.environment) != (environment.space, environment.name):
            raise ImportNotFound("There is no such import here.", value=id[:64])
        return self._told(environment, run)

    def list(self, environment: Environment, *, limit: int, before: str | None = None) -> tuple[Import, ...]:
        """Those of an environment, the newest first, behind the one of the id `before`."""
        found = self._control.list_imports(environment.space, environment.name, limit=limit, before=before)
        return tuple(self._told(environment, run) for run in found)

    def beginning(self, environment: Environment, id: str) -> Beginning:
        """The columns and first rows of its file. Raises: ImportFileGone, BodyInvalid, ColumnsInvalid."""
        run = self.get(environment, id)
        return beginning_of(self._path(run), run.format, run.compression)

    def _path(self, run: Import) -> Path:
        path = self.folder.path(run.id)
        if not run.has_file or not path.exists():
            raise ImportFileGone("The file is not here any more.")
        self.folder.check_length(run.id, run.size_bytes)
        return path

    def rejected(self, environment: Environment, id: str) -> Iterator[Rejected]:
        """The lines that its committed steps rejected, by line; before there are any, the first that its plan would."""
        run = self.get(environment, id)
        population = self._population_of(environment)
        if population.steps(id) or run.plan is None:
            return population.rejected_in(id)
        return iter(run.plan.preview.receipt.rejected)

    def rejected_rows(self, environment: Environment, id: str) -> Iterator[bytes]:
        """The file again with nothing but its rejected rows, and why behind each; see `rows_to_mend`.

        Raises: ImportFileGone, at once.
        """
        run = self.get(environment, id)
        return rows_to_mend(self._path(run), run, self.rejected(environment, id))

    def _told(self, environment: Environment, run: Import) -> Import:
        if run.state == "fetching":
            remote = None if run.remote is None else run.remote.without_query()
            return replace(run, size_bytes=self.folder.size_so_far(run.id), remote=remote)
        if run.state not in _TOLD_BY_STEPS:
            return run
        return replace(run, tally=tally_of(self._population_of(environment).steps(run.id)))

    # Asking.

    def plan(self, environment: Environment, id: str) -> Import:
        """Has it computed what the import would do. Raises: ImportStateWrong, ImportFileGone."""
        return self._change(
            environment,
            id,
            ("waiting", "planned", "held", "failed"),
            lambda run: replace(_to(run, "looking"), runs_after_plan=False, plan=None, began_at=self._at()),
            is_untouched=True,
        )

    def run(self, environment: Environment, id: str, *, goes_on: bool = False) -> Import:
        """Has it applied; a mode that can remove is planned first, unless it was or nothing would hold it.

        Again after a failure goes on.

        With `goes_on` neither a guard nor a plan that holds no more stops it. Raises: ImportStateWrong, ImportFileGone.
        """

        def changed(run: Import) -> Import:
            began = replace(run, is_approved=run.is_approved or goes_on, began_at=rfc3339(self._now()))
            return _begun(began)

        return self._change(environment, id, ("waiting", "planned", "failed"), changed)

    def approve(self, environment: Environment, id: str) -> Import:
        """Lets a held import run as its plan says it would now, and a planned one as it says, however much that takes.

        Raises: ImportStateWrong, ImportFileGone.
        """

        def changed(run: Import) -> Import:
            is_held = run.state == "held"
            share = run.share_removed_max if is_held else None
            return _begun(replace(run, is_approved=is_held, share_removed_max=share, began_at=self._at()))

        return self._change(environment, id, ASKING, changed)

    def pause(self, environment: Environment, id: str) -> Import:
        """Stops behind the step that is being applied. Raises: ImportStateWrong."""
        return self._change(environment, id, ("looking", "running"), lambda run: _to(run, "paused"))

    def resume(self, environment: Environment, id: str) -> Import:
        """Goes on where it was paused. Raises: ImportStateWrong, ImportFileGone."""
        return self._change(environment, id, ("paused",), lambda run: _begun(replace(run, began_at=self._at())))

    def cancel(self, environment: Environment, id: str, *, by: str, undo: bool = False) -> Import:
        """Ends it: no further step is applied, by whatever process. With `undo` those that were are taken back.

        Raises: ImportStateWrong; with `undo`, what undoing raises.
        """
        states: tuple[ImportState, ...] = ("fetching", "waiting", "looking", "planned", "held", "running", "paused")
        run = self._change(environment, id, states, self._cancelled, needs_file=False)
        if not run.has_file:
            self.folder.delete(id)
        done = self._population_of(environment).seal(id)
        run = self._change(
            environment, id, ("cancelled",), lambda run: replace(run, tally=tally_of(done)), needs_file=False
        )
        return self.undo(environment, id, by=by) if undo else run

    def give_up(self, environment: Environment, run: Import) -> None:
        """Ends an import whose command was interrupted before it could do so itself: cancels it, and forgets its file.

        One of which nothing was applied is forgotten, too.
        """
        if self.cancel(environment, run.id, by=run.by).tally.steps:
            self.delete_file(environment, run.id)
        else:
            self.delete(environment, run.id)

    def undo(self, environment: Environment, id: str, *, by: str) -> Import:
        """Takes back what an ended import did, all its versions as one; those that were undone already are passed over.

        Raises: ImportStateWrong, UndoConflict, UndoTooLarge.
        """
        self._change(environment, id, ENDED, lambda run: run, needs_file=False)
        population = self._population_of(environment)
        done = population.seal(id)
        if standing := self.standing(environment, id):
            population.write(Undo(tuple(standing)), WriteOptions(Origin(by, f"import {id}")))
        # As the history has it: a process that was lost behind the undo is made up for by the next try.
        changes = [population.get_change(version) for version in tally_of(done).versions]
        undone = {change.undone_by for change in changes if change.undone_by is not None}
        return self._change(
            environment,
            id,
            ENDED,
            lambda run: replace(run, tally=tally_of(done), undone=tuple(sorted({*run.undone, *undone}))),
            needs_file=False,
        )

    def standing(self, environment: Environment, id: str) -> tuple[Version, ...]:
        """The versions that it made and nobody undid."""
        population = self._population_of(environment)
        versions = [step.version for step in population.steps(id) if step.version is not None]
        return tuple(version for version in versions if population.get_change(version).undone_by is None)

    def delete(self, environment: Environment, id: str) -> None:
        """Forgets the import and its file; what it did stays. Raises: ImportStateWrong."""
        states: tuple[ImportState, ...] = ("waiting", "planned", "held", *ENDED)
        self._change(environment, id, states, lambda run: run, needs_file=False)
        self._control.delete_import(id)
        self.folder.delete(id)

    def delete_file(self, environment: Environment, id: str) -> Import:
        """Forgets the file of an import that has ended; what is known of it stays. Raises: ImportStateWrong."""
        run = self._change(environment, id, ENDED, lambda run: replace(run, has_file=False), needs_file=False)
        self.folder.delete(id)
        return run

    # Within.

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
        """Changes an import that is in one of these states; `is_untouched` demands that nothing of it was applied."""
        for _ in range(_TRIES):
            run = self.get(environment, id)
            if run.state not in states:
                raise ImportStateWrong(
                    f"The import is {run.state}; this asks for {' or '.join(states)}.", state=run.state
                )
            if needs_file and not run.has_file:
                raise ImportFileGone("The file was forgotten; bring it again.")
            if is_untouched and self._population_of(environment).steps(id):
                raise ImportStateWrong("Some of it was applied already.", state=run.state)
            try:
                put = self._control.put_import(changed(run))
            except ImportChanged:
                continue
            self.has_work.set()
            return self._told(environment, put)
        raise ImportChanged("Others change this import all the time.")

    def _forget_old(self) -> None:
        """Forgets files that lie here for too long, and what is left of uploads whose process was killed.

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
                # A process was killed between storing the file and telling of it.
                pass
            except ImportChanged:
                continue
            self.folder.delete(id)


def import_format_of(name: str) -> ImportFormat:
    """The same for a file that is imported by itself. Raises: BodyInvalid.

    An Excel workbook is read as the CSV of its first sheet, and an old one is refused by its bytes.
    """
    return "csv" if name.lower().endswith((".xlsx", ".xls")) else format_of(name)


def format_of(name: str) -> ImportFormat:
    """The format that a file's name tells, whatever it is compressed by. Raises: BodyInvalid."""
    plain = name.lower().removesuffix(".gz").removesuffix(".zst")
    match plain.rpartition(".")[2]:
        case "csv" | "tsv" | "txt":
            return "csv"
        case "ndjson" | "jsonl":
            return "ndjson"
        case "parquet":
            return "parquet"
    raise BodyInvalid(
        f"'{name[:100]}' ends with none of .csv, .ndjson and .parquet.", rule="a CSV, NDJSON or Parquet file"
    )


def _keyed_id(environment: Environment, key: str) -> str:
    """The id of the import that a key brings, the same each time."""
    return hashlib.blake2b(f"{environment.key} {key}".encode(), digest_size=12).hexdigest()


def _fingerprint(draft: Import, how: How, digest: str) -> str:
    """A hash of a file and of how it is to be applied; not of when, nor by whom it is sent.

    The end is the one that was said: what it is rounded to depends on when.
    """
    said = how.get("expires_at")
    asked = replace(draft, created_at="", by="", mapping_name=None, expires_at=rfc3339_of(said) if said else "")
    return hashlib.blake2b(msgspec.json.encode(asked) + digest.encode(), digest_size=16).hexdigest()


def check_file(run: Import) -> None:
    """Raises: BodyInvalid: the file is empty, or compressed as its format never is."""
    if not run.size_bytes and run.format != "ndjson":
        raise BodyInvalid("The file is empty.")
    if run.format == "parquet" and run.compression != "none":
        raise BodyInvalid("A Parquet file is compressed inside; bring it as it is.")


def tally_of(done: Iterable[Done]) -> Tally:
    """What some steps did together."""
    steps = tuple(done)
    receipts = [step.receipt for step in steps]
    return Tally(
        versions=tuple(step.version for step in steps if step.version is not None),
        steps=len(steps),
        added=sum(each.added for each in receipts),
        removed=sum(each.removed for each in receipts),
        unchanged=sum(each.unchanged for each in receipts),
        renewed=sum(each.renewed for each in receipts),
        new_people=sum(each.new_people for each in receipts),
        new_tags=sum(each.new_tags for each in receipts),
        normalized=sum(each.normalized for each in receipts),
        rejected_count=sum(each.rejected_count for each in receipts),
        aliases={old: new for each in receipts for old, new in each.aliases.items()},
    )


def _to(run: Import, state: ImportState) -> Import:
    return replace(run, state=state, hold=None, problem=None, detail=None, ended_at=None)


def _begun(run: Import) -> Import:
    """An import that is to be run: by way of a plan, when it can take more than it may without being asked."""
    is_unbounded = run.share_removed_max is None or run.share_removed_max >= 100
    if run.mode == "add" or run.plan is not None or run.is_approved or is_unbounded:
        return _to(run, "running")
    return replace(_to(run, "looking"), runs_after_plan=True)


def _check(run: Import) -> None:
    if run.prefix:
        parse_tag(run.prefix)
    if run.mapping is not None:
        check_mapping(run.mapping)
    if run.mode == "change" and (run.mapping is not None or run.format != "ndjson"):
        raise ContentTypeUnsupported(
            "Mode 'change' needs lines with 'add' and 'remove', which NDJSON of the plain form has.", rule="NDJSON"
        )
    share = run.share_removed_max
    if share is not None and not 0 <= share <= 100:
        raise ParameterInvalid("A share is a number of percent from 0 to 100.", parameter="share_removed_max")
