"""A program with a pipeline of dlt, as the tests of this folder run it: what it loads and where it is killed is told.

    pipeline.py URL TOKEN FOLDER OPTIONS

OPTIONS is JSON: `rows`, a list of lists, each yielded as a page, as a table of Arrow with `is_arrow`; `how`, what the
destination is given; `cut`, the function of the destination behind which the process ends as by a kill. Without `rows`
what is pending is loaded again.
"""

import json
import os
import sys
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "WARNING"
# Files of a few rows, so that a package has several.
os.environ["DATA_WRITER__FILE_MAX_ITEMS"] = "3"
os.environ["DATA_WRITER__BUFFER_MAX_ITEMS"] = "3"

import dlt
import pyarrow

from tagloom_client import dlt as ours
from tagloom_client.client import Tagloom
from tagloom_client.methods import Methods

KILLED = 9


def cut_behind(owner: Any, name: str) -> None:
    """Ends the process as soon as a function has come back: nothing is tidied up, and nobody is told."""
    done = getattr(owner, name)

    def cut(*args: Any, **kwargs: Any) -> None:
        done(*args, **kwargs)
        os._exit(KILLED)

    setattr(owner, name, cut)


def main(url: str, token: str, folder: str, options: str) -> None:
    wanted = json.loads(options)
    match wanted.get("cut"):
        case None:
            pass
        case "file":
            cut_behind(ours, "tagloom")
        case "bring_file" | "ask_import":
            made = vars(Methods)[wanted["cut"]]
            setattr(Tagloom, wanted["cut"], lambda self, *a, **k: made.__get__(self, Tagloom)(*a, **k))
            cut_behind(Tagloom, wanted["cut"])
        case "complete_load":
            cut_behind(ours.LoadClient, "complete_load")
    target = ours.tagloom_destination(url, token, **wanted.get("how", {}))
    pipeline = dlt.pipeline("crm", destination=target, pipelines_dir=folder, dataset_name="crm")
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
