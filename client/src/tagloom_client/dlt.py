"""A destination for dlt (dlthub.com), which tags people from any source of dlt: `pip install 'tagloom-client[dlt]'`.

>>> pipeline = dlt.pipeline("crm", destination=tagloom_destination(  # doctest: +SKIP
...     "http://127.0.0.1:8321", token, mapping="customers", prefix="crm", mode="mirror"))
>>> pipeline.run(hubspot().with_resources("contacts"))  # doctest: +SKIP

Each table of a load package becomes one import, when all files of the package are there. The import has a key made of
the package, so an interrupted load can be repeated: nothing is applied twice.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from dlt.common import logger
from dlt.common.configuration.container import Container
from dlt.common.destination.exceptions import DestinationTerminalException, DestinationTransientException
from dlt.common.exceptions import MissingDependencyException
from dlt.common.json import json
from dlt.common.schema import TTableSchema
from dlt.common.storages import FileStorage
from dlt.common.storages.load_package import (
    LoadPackageStateInjectableContext,
    PackageStorage,
    ParsedLoadJobFileName,
)
from dlt.destinations.impl.destination.destination import DestinationClient
from dlt.destinations.impl.destination.factory import destination

from tagloom_client.client import Tagloom
from tagloom_client.models import Import

LoadMode = Literal["add", "remove", "set", "mirror"]
_WHOLE: tuple[LoadMode, ...] = ("set", "mirror")
_WORKED_ON = ("planning", "running")
_ROWS_AT_ONCE = 10_000
_SECONDS_BETWEEN_READS = 0.2
_SECONDS_BETWEEN_READS_MAX = 5.0


class LoadHeld(DestinationTransientException):
    """The import is held. Approve or cancel it in Tagloom, then load again."""


class LoadRefused(DestinationTerminalException):
    """The package cannot become an import."""


@dataclass(frozen=True)
class Loading:
    """The options of the imports of a pipeline."""

    connect: Callable[[], Tagloom]
    mapping: str | None
    prefix: str | None
    mode: LoadMode
    share_removed_max: int | None
    tables: tuple[str, ...] | None
    sleep: Callable[[float], None] = time.sleep


def tagloom_destination(
    url: str,
    token: str,
    space: str = "main",
    environment: str = "production",
    *,
    mapping: str | None = None,
    prefix: str | None = None,
    mode: LoadMode = "add",
    share_removed_max: int | None = None,
    tables: tuple[str, ...] | None = None,
) -> "TagloomDestination":
    """Returns a destination that imports load packages into an environment.

    `mapping` is a saved mapping of the space. Without one, rows are `{"user": …, "tags": […]}`. `mode`, `prefix` and
    `share_removed_max` are as for imports. With `mirror`, the tags at or below `prefix` become equal to the package; if
    the import would remove too much, it is held (`LoadHeld`). `tables` are the tables of dlt to import, by default all.
    `set` and `mirror` need exactly one. A resource without rows makes no package and changes nothing.
    """
    return TagloomDestination(
        Loading(
            connect=lambda: Tagloom(url, token, space=space, environment=environment),
            mapping=mapping,
            prefix=prefix,
            mode=mode,
            share_removed_max=share_removed_max,
            tables=tables,
        )
    )


def tagloom(items: Any, table: TTableSchema) -> None:
    """Does nothing. dlt calls it for each file; the package is imported when it is complete."""


class TagloomDestination(destination):
    """The destination. Files are lines of JSON, so that lists stay lists, or Parquet if the source yields tables."""

    def __init__(self, loading: Loading) -> None:
        self._loading = loading
        super().__init__(
            destination_callable=tagloom,
            destination_name="tagloom",
            loader_file_format="typed-jsonl",
            batch_size=0,
            naming_convention="direct",
        )

    @property
    def client_class(self) -> type[DestinationClient]:
        """The client class with the options of this destination."""
        return type("TagloomLoadClient", (LoadClient,), {"loading": self._loading})


class LoadClient(DestinationClient):
    """Imports a package when it is complete. After an interruption, dlt calls `complete_load` again."""

    loading: Loading

    def complete_load(self, load_id: str) -> None:
        """Imports the package. Raises: LoadHeld, LoadRefused; TagloomError: the package can be loaded again."""
        storage = Container()[LoadPackageStateInjectableContext].storage
        tables = self._tables(storage, load_id)
        if self.loading.mode in _WHOLE and len(tables) > 1:
            raise LoadRefused(
                f"The package {load_id} has the tables {', '.join(sorted(tables))}, and mode '{self.loading.mode}' "
                "needs exactly one: name it in `tables`."
            )
        with self.loading.connect() as tagloom:
            for table, files in sorted(tables.items()):
                self._import_table(tagloom, load_id, table, sorted(files))

    def _tables(self, storage: PackageStorage, load_id: str) -> Mapping[str, list[str]]:
        """Returns the paths of the files of each table to import. Raises: LoadRefused: a file of the package failed."""
        if failed := storage.list_failed_jobs(load_id):
            raise LoadRefused(
                f"{len(failed)} files of the package {load_id} failed. Without them the package is not complete."
            )
        folder = storage.get_job_state_folder_path(load_id, PackageStorage.COMPLETED_JOBS_FOLDER)
        found: dict[str, list[str]] = defaultdict(list)
        for file in storage.storage.list_folder_files(folder):
            table = ParsedLoadJobFileName.parse(file).table_name
            is_own = table.startswith(self.schema._dlt_tables_prefix)
            if not is_own and (self.loading.tables is None or table in self.loading.tables):
                found[table].append(storage.storage.make_full_path(file))
        return found

    def _import_table(self, tagloom: Tagloom, load_id: str, table: str, files: list[str]) -> None:
        """Imports a table of the package, or continues the import of an earlier try."""
        loading, name = self.loading, f"dlt {self.schema.name} {table}"
        with TemporaryDirectory(prefix="tagloom-dlt-") as folder:
            # The body is written into a file first, because a file can be sent again after a broken connection.
            whole = Path(folder, "package.ndjson")
            with whole.open("wb") as target:
                target.writelines(_lines(load_id, files))
            run = tagloom.create_import(
                whole,
                format="ndjson",
                name=name[:200],
                mode=loading.mode,
                prefix=loading.prefix,
                mapping=loading.mapping,
                share_removed_max=loading.share_removed_max,
                idempotency_key=f"dlt {self.schema.name[:100]} {load_id} {table[:100]}",
            )
        ended = self._run_to_end(tagloom, run)
        if ended.state == "cancelled":
            logger.warning(f"The import {run.id} of '{name}' was cancelled. The package {load_id} is finished.")
            return
        if rejected := ended.tally["rejected_count"]:
            logger.warning(f"Rejected rows of '{name}': {rejected:,}. See the import {run.id}.")
        logger.info(f"The import {run.id} of '{name}' is done.")

    def _run_to_end(self, tagloom: Tagloom, run: Import) -> Import:
        """Runs an import to its end. Raises: LoadHeld, LoadRefused."""
        pause, has_run = _SECONDS_BETWEEN_READS, False
        while run.state not in ("done", "cancelled"):
            if run.state in ("held", "paused"):
                raise LoadHeld(
                    f"The import {run.id} is {run.state}. {run.detail or ''} "
                    "Approve, resume or cancel it, and load again."
                )
            if run.state == "failed" and has_run:
                raise LoadRefused(f"The import {run.id} failed: {run.detail}")
            if run.state in _WORKED_ON:
                self.loading.sleep(pause)
                pause = min(1.5 * pause, _SECONDS_BETWEEN_READS_MAX)
                run = tagloom.get_import(run.id)
            else:
                # The import is waiting or planned, or failed before this load. A run continues from its state.
                has_run = True
                run = tagloom.ask_import(run.id, "run")
        return run


def _lines(load_id: str, files: list[str]) -> Iterator[bytes]:
    """Yields the rows of files as lines of JSON, without the columns that dlt adds.

    Raises: LoadRefused: a file cannot be read.
    """
    for path in files:
        try:
            for row in _parquet_rows(path) if path.endswith(".parquet") else _json_rows(path):
                own = {name: value for name, value in row.items() if not name.startswith("_dlt_")}
                yield json.dumpb(own) + b"\n"
        except (ValueError, TypeError, AttributeError, OSError, MissingDependencyException) as error:
            raise LoadRefused(
                f"The file {Path(path).name} of the package {load_id} cannot be read: {error}. Nothing of the package "
                "was applied. Correct the source, and delete the package with: dlt pipeline NAME drop-pending-packages."
            ) from error


def _json_rows(path: str) -> Iterator[dict[str, Any]]:
    with FileStorage.open_zipsafe_ro(path, "rb") as file:
        for line in file:
            found = json.typed_loadb(line)
            yield from found if isinstance(found, list) else [found]


def _parquet_rows(path: str) -> Iterator[dict[str, Any]]:
    """Yields rows of a Parquet file, which dlt writes if a source yields tables. Reads 10,000 rows at a time."""
    # Arrow is installed only where sources yield tables, because dlt needs it for them.
    from dlt.common.libs.pyarrow import pyarrow  # type: ignore[attr-defined]  # dlt exports the name only implicitly.

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield from (
                pyarrow.Table.from_batches([batch]).cast(_readable(pyarrow, batch.schema), safe=False).to_pylist()
            )


def _readable(pyarrow: Any, schema: Any) -> Any:
    """Returns the schema with times in microseconds. Python times have no nanoseconds."""
    fields = [
        field.with_type(pyarrow.timestamp("us", field.type.tz)) if pyarrow.types.is_timestamp(field.type) else field
        for field in schema
    ]
    return pyarrow.schema(fields)
