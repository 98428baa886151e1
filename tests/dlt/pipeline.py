"""A program with a pipeline of dlt, as the tests of this folder run it: what it loads is told.

    pipeline.py URL TOKEN FOLDER OPTIONS

OPTIONS is JSON: `rows`, a list of lists, each yielded as a page, as a table of Arrow with `is_arrow`; `how`, what the
destination is given; `is_killed_at_file`, whether the process is killed when the first file of the package is complete.
Without `rows` what is pending is loaded again.
"""

import json
import os
import signal
import sys
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "WARNING"
# Files of a few rows, so that a package has several.
os.environ["DATA_WRITER__FILE_MAX_ITEMS"] = "3"
os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "3"

import dlt
import pyarrow
from dlt.common.runtime.collector import NullCollector

from tagloom_client.dlt import tagloom_destination


class Killing(NullCollector):
    """Kills the process as soon as dlt reports that it has completed a file."""

    def update(self, name: str, inc: int = 1, total: int | None = None, inc_total: int | None = None, **_: Any) -> None:
        if name == "Jobs" and inc == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, token: str, folder: str, options: str) -> None:
    wanted = json.loads(options)
    target = tagloom_destination(url, token, **wanted.get("how", {}))
    progress = Killing() if wanted.get("is_killed_at_file") else NullCollector()
    pipeline = dlt.pipeline("crm", destination=target, pipelines_dir=folder, dataset_name="crm", progress=progress)
    if "rows" not in wanted:
        print(pipeline.load())
        return

    @dlt.resource(name="customers", max_table_nesting=0)
    def customers() -> Any:
        for page in wanted["rows"]:
            yield pyarrow.Table.from_pylist(page) if wanted.get("is_arrow") else page

    found = [customers]
    if "more" in wanted:
        found.append(dlt.resource(wanted["more"], name="others"))
    print(pipeline.run(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
