"""Commands about the mappings that a space keeps on a server."""

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
mapping_app = typer.Typer(help="Mappings of a space: list, show, propose, put, drop.", no_args_is_help=True)
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
    """List the mappings of a space, in their newest versions."""
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
    version: Annotated[int | None, typer.Option(help="A former version instead of the newest.")] = None,
) -> None:
    """Print a mapping as JSON, in the form that `mapping put` takes."""
    with server_at(url, token, space, environment) as client:
        say_json(client.get_mapping(name, version=version).mapping)


@mapping_app.command("put")
def put_mapping(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="The mapping as .json or .toml.")],
    url: UrlOption,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    prefix: Annotated[str | None, typer.Option(help="In front of every tag, instead of what the file says.")] = None,
) -> None:
    """Keep a mapping under a name, as its newest version."""
    mapping = read_mapping(file)
    if prefix is not None:
        mapping = msgspec.structs.replace(mapping, prefix=prefix)
    with server_at(url, token, space, environment) as client:
        kept = client.put_mapping(name, msgspec.to_builtins(mapping))
    tell(f"Mapping {kept.name} is at version {kept.version}.")


@mapping_app.command("infer")
def infer_mapping(
    file: Annotated[Path, typer.Argument(help="A CSV, NDJSON, JSON or Parquet file; or a sync's draft, as .json.")],
    url: AnyUrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    prefix: Annotated[str, typer.Option(help="In front of every tag.")] = "",
    user_column: Annotated[
        str | None, typer.Option(help="The column of user ids; found by its name or its cells unless named.")
    ] = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a mapping that the first rows suggest, in the form that `mapping put` takes; with --json also the rows.

    A file is read here. The source of a sync is read by the server of --url.
    """
    if _is_draft(file):
        if url is None:
            raise ParameterInvalid(f"'{file}' is a sync's draft, whose source a server reads: give --url.")
        with server_at(url, token, space, environment) as client:
            draft = parse_draft(file.read_bytes())
            inferred = msgspec.to_builtins(client.infer_source_mapping(msgspec.to_builtins(draft.source)))
    else:
        with regular_file(file) as path:
            found = inferred_mapping_for(path, file_format(file, format), user=user_column)
        if not found.mapping.columns:
            warn("No column of it looks like tags. Write the columns of the mapping yourself.")
        inferred = msgspec.to_builtins(found)
    mapping = inferred["mapping"] | ({"prefix": prefix} if prefix else {})
    say_json(inferred | {"mapping": mapping} if as_json else mapping)


def _is_draft(file: Path) -> bool:
    """Whether a file is a sync's draft: one JSON object with a source, and no list of records."""
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
    tell(f"Mapping {name} is deleted.")
