"""Commands about the saved mappings of a space on a server."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.cli.import_progress import file_format, read_mapping, regular_file
from tagloom.cli.mapping_suggestions import inferred_mapping_for
from tagloom.cli.options import EnvironmentOption, FormatOption, JsonOption, SpaceOption, TokenOption
from tagloom.cli.options import UrlOption as AnyUrlOption
from tagloom.cli.output import say_json, say_table, tell, warn
from tagloom.cli.syncs import UrlOption, server_at
from tagloom.syncs.definitions import parse_draft

app = typer.Typer()
mapping_app = typer.Typer(help="Mappings of a space: list, show, infer, put, delete.", no_args_is_help=True)
app.add_typer(mapping_app, name="mapping")

NameArgument = Annotated[str, typer.Argument(help="The name of the mapping.")]


@mapping_app.command("list")
def list_mappings(
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the mappings of a space, each in its newest version."""
    with server_at(url, token, space, environment) as client:
        kept = client.list_mappings()
    if as_json:
        say_json([msgspec.to_builtins(each) for each in kept])
        return
    say_table(("mapping", "version", "since", "by"), [(each.name, each.version, each.at, each.by) for each in kept])


@mapping_app.command("show")
def show_mapping(
    name: NameArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    version: Annotated[int | None, typer.Option(help="An older version instead of the newest.")] = None,
) -> None:
    """Print a mapping as JSON, for `mapping put`."""
    with server_at(url, token, space, environment) as client:
        say_json(client.get_mapping(name, version=version).mapping)


@mapping_app.command("put")
def put_mapping(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="The mapping as a .json or .toml file.")],
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    prefix: Annotated[
        str | None, typer.Option(help="The prefix of every tag, instead of the prefix in the file.")
    ] = None,
) -> None:
    """Save a mapping under a name, as its newest version."""
    mapping = read_mapping(file)
    if prefix is not None:
        mapping = msgspec.structs.replace(mapping, prefix=prefix)
    with server_at(url, token, space, environment) as client:
        kept = client.put_mapping(name, msgspec.to_builtins(mapping))
    tell(f"Mapping {kept.name} was saved as version {kept.version}.")


@mapping_app.command("infer")
def infer_mapping(
    file: Annotated[Path, typer.Argument(help="A CSV, NDJSON, JSON or Parquet file, or the draft of a sync as .json.")],
    url: AnyUrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    prefix: Annotated[str, typer.Option(help="The prefix of every tag.")] = "",
    user_column: Annotated[
        str | None, typer.Option(help="The column of user ids. Default: inferred from names and cells.")
    ] = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a mapping inferred from the first rows, for `mapping put`. With --json also the rows.

    The command reads a file itself. The server of --url reads the source of a sync.
    """
    if _is_draft(file):
        if url is None:
            raise ParameterInvalid(f"'{file}' is the draft of a sync. A server reads its source: use --url.")
        with server_at(url, token, space, environment) as client:
            draft = parse_draft(file.read_bytes())
            inferred = msgspec.to_builtins(client.infer_source_mapping(msgspec.to_builtins(draft.source)))
    else:
        with regular_file(file) as path:
            found = inferred_mapping_for(path, file_format(file, format), user=user_column)
        if not found.mapping.columns:
            warn("No column looks like tags. Add the columns of the mapping yourself.")
        inferred = msgspec.to_builtins(found)
    mapping = inferred["mapping"] | ({"prefix": prefix} if prefix else {})
    say_json(inferred | {"mapping": mapping} if as_json else mapping)


def _is_draft(file: Path) -> bool:
    """Returns whether a file is the draft of a sync: a JSON object with a source."""
    if file.suffix.lower() != ".json":
        return False
    try:
        return "source" in msgspec.json.decode(file.read_bytes(), type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return False


@mapping_app.command("delete")
def delete_mapping(
    name: NameArgument,
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete a mapping with all its versions."""
    with server_at(url, token, space, environment) as client:
        client.delete_mapping(name)
    tell(f"Mapping {name} was deleted.")
