"""Files that teammates bring into the console: kept, looked at, tried, applied once, and forgotten after a while.

An upload lies in a folder of its own: the file, what is known of it, and how far its run has come. Its run is one
batch with the upload's id as its idempotency key, so that a run which was cut off and is begun again applies nothing
twice.
"""

import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from tagloom import limits, problems
from tagloom.foresight import Foresight
from tagloom.intake.sheets import Glance, Sheet, SheetFormat, check_sheet, glance, read_sheet
from tagloom.model import Environment, Foreseen, Mode, Origin, Receipt
from tagloom.store.port import Part, Population, Request
from tagloom.tags import parse_tag
from tagloom.times import rfc3339, seconds_of

State = Literal["mapped", "trying", "tried", "running", "done", "failed"]
ID = re.compile(r"[0-9a-f]{24}")
BUSY: tuple[State, ...] = ("trying", "running")
SECONDS_BETWEEN_SAVES = 0.5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a file is to be applied."""

    sheet: Sheet
    mode: Mode = "add"
    under: str = ""
    lowercase: bool = False


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that somebody brought, and what became of it. Times are RFC 3339 UTC."""

    id: str
    space: str
    environment: str
    name: str
    format: SheetFormat
    size_bytes: int
    by: str
    at: str
    state: State = "mapped"
    plan: Plan | None = None
    rows_read: int = 0
    # Known once the file was read to its end.
    rows_total: int | None = None
    began_at: str | None = None
    ended_at: str | None = None
    foreseen: Foreseen | None = None
    receipt: Receipt | None = None
    problem: str | None = None


class Uploads:
    """The uploads of an installation, in a folder that all its processes share or that belongs to one."""

    def __init__(
        self,
        folder: Path,
        foresight: Foresight,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._foresight = foresight
        self._population_of = population_of
        self._now = now
        self._lock = threading.Lock()
        self._working: dict[str, Upload] = {}

    # Files.

    def bring(
        self,
        environment: Environment,
        name: str,
        by: str,
        chunks: Iterator[bytes],
        *,
        format: SheetFormat | None = None,
    ) -> Upload:
        """Stores a file. Old uploads are forgotten first.

        Raises: BodyInvalid: it is empty, or neither CSV nor Parquet by its name; BodyTooLarge; TooManyUploads.
        """
        self._forget_old()
        if len(self.list_uploads(environment)) >= limits.UPLOADS_KEPT_MAX:
            raise problems.TooManyUploads(
                f"{limits.UPLOADS_KEPT_MAX} uploads are kept; remove one first.", uploads_max=limits.UPLOADS_KEPT_MAX
            )
        found = _format_of(name)
        upload_id = secrets.token_hex(12)
        place = self._folder / upload_id
        place.mkdir(parents=True)
        try:
            size = _store(place / "file", chunks)
            glance(place / "file", found)
        except BaseException:
            shutil.rmtree(place)
            raise
        upload = Upload(
            id=upload_id,
            space=environment.space,
            environment=environment.name,
            name=name[: limits.CHARACTERS_PER_SOURCE_MAX],
            format=found,
            size_bytes=size,
            by=by,
            at=rfc3339(self._now()),
        )
        self._save(upload)
        return upload

    def list_uploads(self, environment: Environment) -> tuple[Upload, ...]:
        """Those of an environment, the newest first."""
        found = [self._load(place) for place in self._places()]
        mine = (each for each in found if each is not None and _belongs(each, environment))
        return tuple(sorted(mine, key=lambda each: (each.at, each.id), reverse=True))

    def get(self, environment: Environment, upload: str) -> Upload:
        """One of them. A run that no process works on any more has failed. Raises: UploadNotFound."""
        found = self._load(self._folder / upload) if ID.fullmatch(upload) else None
        if found is None or not _belongs(found, environment):
            raise problems.UploadNotFound(f"No upload '{upload[:24]}' is known here.")
        with self._lock:
            working = self._working.get(upload)
        if working is not None:
            return working
        if found.state in BUSY and self._now() - seconds_of(found.ended_at or found.at) > limits.UPLOAD_SECONDS_SILENT:
            return msgspec.structs.replace(
                found, state="failed", problem="The server stopped while it worked on this. Run it again."
            )
        return found

    def glance(self, upload: Upload) -> Glance:
        """Its first rows. Raises: BodyInvalid, ColumnsInvalid."""
        return glance(self._folder / upload.id / "file", upload.format)

    def drop(self, environment: Environment, upload: str) -> None:
        """Forgets the file; what it did stays. Raises: UploadNotFound, UploadBusy."""
        found = self.get(environment, upload)
        if found.state in BUSY:
            raise problems.UploadBusy("The file is being read; wait until it is done.")
        shutil.rmtree(self._folder / upload)

    # Work.

    def plan(self, environment: Environment, upload: str, plan: Plan) -> Upload:
        """Says how the file is to be read. Raises: UploadNotFound, UploadBusy, ColumnsInvalid, TagProblem."""
        check_sheet(plan.sheet)
        if plan.under:
            parse_tag(plan.under)
        found = self.get(environment, upload)
        if found.state in BUSY or found.state == "done":
            raise problems.UploadBusy("The file was applied, or is being read.")
        planned = msgspec.structs.replace(found, plan=plan, state="mapped", foreseen=None, problem=None)
        self._save(planned)
        return planned

    def try_out(self, environment: Environment, upload: str) -> Upload:
        """Begins to find out, in a thread, what applying would do. Raises: UploadNotFound, UploadBusy."""
        return self._begin(environment, upload, "trying", self._tried)

    def run(self, environment: Environment, upload: str, by: str) -> Upload:
        """Begins to apply, in a thread. Raises: UploadNotFound, UploadBusy."""
        return self._begin(environment, upload, "running", lambda *args: self._applied(*args, by=by))

    def _begin(
        self,
        environment: Environment,
        upload: str,
        state: State,
        work: Callable[[Environment, Upload, Iterator[Part]], Upload],
    ) -> Upload:
        found = self.get(environment, upload)
        if found.plan is None:
            raise problems.UploadBusy("Say first what the columns mean.")
        with self._lock:
            if upload in self._working or found.state in BUSY or found.state == "done":
                raise problems.UploadBusy("The file was applied, or is being read.")
            began = msgspec.structs.replace(
                found, state=state, rows_read=0, began_at=rfc3339(self._now()), ended_at=None, problem=None
            )
            self._working[upload] = began
        self._save(began)
        thread = threading.Thread(target=self._work, args=(environment, began, work), name=f"tagloom-upload-{upload}")
        thread.start()
        return began

    def _work(
        self,
        environment: Environment,
        upload: Upload,
        work: Callable[[Environment, Upload, Iterator[Part]], Upload],
    ) -> None:
        try:
            ended = work(environment, upload, self._parts(upload))
        except problems.Problem as problem:
            ended = msgspec.structs.replace(self._now_of(upload), state="failed", problem=problem.detail)
        except BaseException as error:
            ended = msgspec.structs.replace(
                self._now_of(upload), state="failed", problem=f"Tagloom failed at this file: {type(error).__name__}."
            )
            self._end(ended)
            raise
        self._end(ended)

    def _end(self, upload: Upload) -> None:
        self._save(msgspec.structs.replace(upload, ended_at=rfc3339(self._now())))
        with self._lock:
            self._working.pop(upload.id, None)

    def _now_of(self, upload: Upload) -> Upload:
        with self._lock:
            return self._working.get(upload.id, upload)

    def _parts(self, upload: Upload) -> Iterator[Part]:
        assert upload.plan is not None, "only planned uploads are worked on"
        saved = self._now()

        def on_rows(count: int) -> None:
            nonlocal saved
            with self._lock:
                progressed = msgspec.structs.replace(self._working[upload.id], rows_read=count)
                self._working[upload.id] = progressed
            if self._now() - saved > SECONDS_BETWEEN_SAVES:
                saved = self._now()
                self._save(msgspec.structs.replace(progressed, ended_at=rfc3339(saved)))

        return read_sheet(self._folder / upload.id / "file", upload.format, upload.plan.sheet, on_rows)

    def _tried(self, environment: Environment, upload: Upload, parts: Iterator[Part]) -> Upload:
        foreseen = self._foresight.apply(environment, parts, _request(upload, upload.by, is_trial=True))
        ended = self._now_of(upload)
        return msgspec.structs.replace(ended, state="tried", foreseen=foreseen, rows_total=ended.rows_read)

    def _applied(self, environment: Environment, upload: Upload, parts: Iterator[Part], *, by: str) -> Upload:
        receipt = self._population_of(environment).apply(parts, _request(upload, by, is_trial=False))
        return msgspec.structs.replace(self._now_of(upload), state="done", receipt=receipt)

    # The folder.

    def _places(self) -> list[Path]:
        return [place for place in self._folder.glob("*") if ID.fullmatch(place.name)] if self._folder.exists() else []

    def _load(self, place: Path) -> Upload | None:
        try:
            return msgspec.json.decode((place / "upload.json").read_bytes(), type=Upload)
        except FileNotFoundError:
            return None

    def _save(self, upload: Upload) -> None:
        place = self._folder / upload.id
        draft = place / f"upload.json.{secrets.token_hex(4)}"
        draft.write_bytes(msgspec.json.encode(upload))
        draft.replace(place / "upload.json")

    def _forget_old(self) -> None:
        for place in self._places():
            found = self._load(place)
            began = seconds_of(found.at) if found is not None else place.stat().st_mtime
            if self._now() - began > limits.UPLOAD_DAYS_KEPT * 86_400 and place.name not in self._working:
                shutil.rmtree(place)


def _belongs(upload: Upload, environment: Environment) -> bool:
    return (upload.space, upload.environment) == (environment.space, environment.name)


def _format_of(name: str) -> SheetFormat:
    suffix = name.rpartition(".")[2].lower()
    if suffix in ("csv", "tsv", "txt"):
        return "csv"
    if suffix == "parquet":
        return "parquet"
    raise problems.BodyInvalid(f"'{name[:100]}' ends with neither .csv nor .parquet.", rule="a CSV or Parquet file")


def _store(path: Path, chunks: Iterator[bytes]) -> int:
    size = 0
    with path.open("xb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > limits.UPLOAD_BYTES_MAX:
                raise problems.BodyTooLarge(
                    f"The console takes files of up to {limits.UPLOAD_BYTES_MAX:,} bytes; larger ones come by the "
                    "API or the command line.",
                    bytes_max=limits.UPLOAD_BYTES_MAX,
                )
            file.write(chunk)
    if not size:
        raise problems.BodyInvalid("The file is empty.")
    return size


def _request(upload: Upload, by: str, *, is_trial: bool) -> Request:
    plan = upload.plan
    assert plan is not None, "only planned uploads are worked on"
    return Request(
        mode=plan.mode,
        origin=Origin(by, upload.name),
        action="import",
        under=parse_tag(plan.under) if plan.under else None,
        lowercase=plan.lowercase,
        dry_run=is_trial,
        idempotency_key=None if is_trial else f"upload-{upload.id}",
        # A file is applied once, however it was mapped: after a run that was cut off, the first plan is the one done.
        fingerprint="" if is_trial else upload.id,
    )
