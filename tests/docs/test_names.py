"""Every public name is documented, and nothing is documented that is not there."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import tagloom
from tagloom import cli, ports
from tagloom.base.problems import all_problems
from tagloom.http.framework.addresses import ORGANIZATION, SPACE, E
from tagloom.http.routes import ROUTES
from tagloom.registry import all_limits
from tagloom.words import accounts, catalogue, changes, decisions, events, people, receipts, tenants, tribes
from tests.docs.pages import DOCS, ROOT, pages, prose, sections, table_rows

HERE = Path(__file__).parent
REFERENCE = DOCS / "reference"
# Problems live in their rooms, and some rooms are imported when they are needed.
for found in pkgutil.walk_packages(tagloom.__path__, "tagloom."):
    if "migrations" not in found.name and not found.name.endswith("__main__"):
        import_module(found.name)

# The structs that cross the ports are words of the glossary.
RECORDS = (accounts, catalogue, changes, decisions, events, people, receipts, tenants, tribes)
PORTS = [
    import_module(f"tagloom.ports.{each.name}")
    for each in pkgutil.iter_modules(ports.__path__)
    if each.name not in {"limits", "problems"}
]

# `place` in docs/reference/command-line.md stands for these.
PLACE = {"--data", "--url", "--token", "--space", "--environment"}
# The words that the design gave before there was code.
DESIGNED = {
    *("organization", "space", "environment", "teammate", "user", "visitor", "person", "tag", "tagging", "batch"),
    *("version", "receipt", "tribe", "rule", "decision"),
}

# What architecture pages name that is SQLite's, a field's or a table's, and no function or class of ours.
WORDS_OF_OTHERS = {"journal_mode", "page_size", "skipped", "at_least", "Makefile", "intersection_cardinality"}
# And PostgreSQL's or the kernel's.
WORDS_OF_OTHERS |= {"synchronous_commit", "statement_timeout", "tcp_user_timeout"}
# And Authlib's.
WORDS_OF_OTHERS |= {"prepare_grant_uri", "prepare_token_request", "fetch_token", "parse_id_token"}
WORDS_OF_OTHERS |= {"ClientAuth", "CodeIDToken", "OAuth2Client", "OpenIDMixin"}


def leaves(command: Any, path: tuple[str, ...] = ("tagloom",)) -> dict[str, set[str]]:
    """Each command that does something, with its options."""
    below = getattr(command, "commands", None)
    if below is None:
        options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        return {" ".join(path): {name for name in options if name.startswith("--")}}
    found: dict[str, set[str]] = {}
    for name, each in below.items():
        found |= leaves(each, (*path, name))
    return found


COMMANDS = {
    path: options
    for name in cli.COMMANDS
    for path, options in leaves(cli.load_command(name), ("tagloom", name)).items()
}
COMMAND_SECTIONS = sections(REFERENCE / "command-line.md", 3)


def test_the_commands_documented_are_those_that_exist() -> None:
    assert set(COMMAND_SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_options_documented_are_those_of_the_command(command: str) -> None:
    text = COMMAND_SECTIONS[command]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    if re.search(r"\bplace\b", text):
        named |= PLACE
    assert named == COMMANDS[command]


def test_every_exit_code_is_documented() -> None:
    codes = {row[0] for row in table_rows(sections(REFERENCE / "command-line.md", 2)["Exit codes"])}
    assert codes >= {"0", "1", "2", "3"}


def test_the_settings_documented_are_those_that_are_read() -> None:
    setting = re.compile(r"\bTAGLOOM_[A-Z_]+")
    sources = (ROOT / "src" / "tagloom").rglob("*.py")
    read = {name for source in sources for name in setting.findall(source.read_text(encoding="utf-8"))}
    assert set(setting.findall(sections(REFERENCE / "settings.md", 2)["Settings"])) == read
    # What tests are told, such as where a cluster is, is documented elsewhere.
    tests = {"TAGLOOM_TEST_CITUS_URL"} & set(setting.findall((ROOT / "tests" / "citus.py").read_text(encoding="utf-8")))
    for page in pages():
        assert set(setting.findall(page.read_text(encoding="utf-8"))) <= read | tests, page


def test_every_problem_is_documented_with_its_status_and_title() -> None:
    page = (REFERENCE / "problems.md").read_text(encoding="utf-8")
    rows = [row for row in table_rows(page) if row[0].startswith("`")]
    documented = {row[0].strip("`"): (row[1], row[2]) for row in rows}
    for module in pkgutil.walk_packages(tagloom.__path__, "tagloom."):
        # A problem is known once its module is imported, whichever tests ran before.
        if ".migrations." not in module.name:
            import_module(module.name)
    known = [each for each in all_problems() if each.__module__.startswith("tagloom.")]
    assert documented == {each.slug(): (str(each.status), each.title()) for each in known}
    assert len(rows) == len(documented)
    assert all(len(row) == 5 and row[3] for row in rows)


def test_every_limit_is_documented_with_its_value() -> None:
    documented = {
        row[0].strip("`"): row[1]
        for row in table_rows(sections(REFERENCE / "limits.md", 2)["Limits"])
        if row[0].startswith("`")
    }
    assert documented == {name: f"{value:,}" for name, value in all_limits().items()}


def test_limits_named_elsewhere_have_their_value() -> None:
    known = all_limits()
    for page in pages():
        for row in table_rows(page.read_text(encoding="utf-8")):
            name = row[0].strip("`")
            if len(row) > 1 and name in known:
                assert row[1] == f"{known[name]:,}", (page, name)


def test_the_glossary_has_every_word_of_the_model_and_the_ports() -> None:
    words = {
        word.strip()
        for row in table_rows((REFERENCE / "glossary.md").read_text(encoding="utf-8"))
        for word in row[0].split(",")
    }
    classes = [
        name
        for module in (*RECORDS, *PORTS)
        for name, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__ and not getattr(each, "_is_protocol", False)
    ]
    aliases = ["Kind", "Mode", "Audience", "Match", "Scope", "Version", "Ordinal"]
    assert all(any(hasattr(module, alias) for module in RECORDS) for alias in aliases)
    named = {re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in (*classes, *aliases)}
    assert named | DESIGNED <= words


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_in_the_api_page(route: Any) -> None:
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")
    path = route.path.replace(E, "E").replace(SPACE, "S").replace(ORGANIZATION, "O")
    if path.startswith("E/visitors"):
        assert "`E/visitors` has the same forms" in text
        path = path.replace("E/visitors", "E/users", 1)
    assert f"`{route.method} {path}`" in text


def test_the_api_page_names_no_route_that_is_not_there() -> None:
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")
    known = {
        f"{route.method} " + route.path.replace(E, "E").replace(SPACE, "S").replace(ORGANIZATION, "O")
        for route in ROUTES
    }
    named = {row[0].strip("`") for row in table_rows(text) if re.match(r"`[A-Z]+ ", row[0])}
    assert named <= known


def named_in_code(span: str) -> str:
    """The function, class or attribute of ours that a code span names; empty when it is something else."""
    _, _, function = span.partition(".py: ")
    if function:
        return function
    is_member = re.fullmatch(r"[A-Z]\w+\.[a-z]\w+", span)
    is_name = re.fullmatch(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*|[a-z]+(?:_[a-z]+)+", span)
    return span.rpartition(".")[2] if is_member or is_name else ""


def test_the_modules_and_functions_that_pages_walk_through_are_in_the_code() -> None:
    sources = [path for folder in ("src", "tests", "client") for path in (ROOT / folder).rglob("*.py")]
    files = "\n".join(f"/{source.relative_to(ROOT)}" for source in sources)
    text = "\n".join(source.read_text(encoding="utf-8") for source in sources if source.parent != HERE)
    known = set(re.findall(r"(?:\bdef |\bclass |\bself\.)(\w+)", text)) | WORDS_OF_OTHERS
    for page in (DOCS / "explanation" / "architecture.md", *(DOCS / "adr").glob("*.md")):
        for span in re.findall(r"`([^`\n]+)`", prose(page)):
            for module in re.findall(r"[\w/]+\.py", span):
                assert f"/{module}\n" in files + "\n", (page, span)
            name = named_in_code(span)
            assert not name or name in known, (page, span)
