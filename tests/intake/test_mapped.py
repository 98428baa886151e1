"""Files of any columns: every reader says what the mapping means, record by record."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom import problems
from tagloom.intake.mapped import read_mapped
from tagloom.intake.rows import read_records
from tagloom.mappings import (
    Band,
    BandsColumn,
    Cell,
    Column,
    FlagColumn,
    ListColumn,
    Mapping,
    TagColumn,
    ValueColumn,
    parse_mapping,
    parse_mapping_toml,
    record_person,
    record_tags,
)
from tagloom.store.port import Part

NAMES = ("user", "a", "b")
cells = st.sampled_from(["", " ", "1", "2.5", "9", "yes", "no", "x", "X y", "a/b", "p;q", "p; ;q", "N/A", "é"])
steps = st.lists(st.sampled_from(["trim", "lowercase", "slug"]), max_size=3).map(tuple)


def columns(name: str) -> st.SearchStrategy[Column]:
    """Any column of this name."""
    bands = st.sampled_from([(Band(tag="low", to=2), Band(tag="high")), (Band(tag="few", to=5),)])
    return st.one_of(
        st.builds(TagColumn, column=st.just(name), steps=steps),
        st.builds(ListColumn, column=st.just(name), steps=steps),
        st.builds(
            ValueColumn,
            column=st.just(name),
            branch=st.sampled_from(["", "top"]),
            values=st.sampled_from([{}, {"x": "top/x", "N/A": ""}]),
            others=st.sampled_from(["level", "reject", "ignore"]),
            steps=steps,
        ),
        st.builds(FlagColumn, column=st.just(name), yes=st.just("on"), no=st.sampled_from(["", "off"])),
        st.builds(BandsColumn, column=st.just(name), bands=bands, blank=st.sampled_from([None, "", "none"])),
    )


mappings = st.builds(
    Mapping,
    user=st.just("user"),
    columns=st.one_of(st.tuples(columns("a")), st.tuples(columns("a"), columns("b"))),
    prefix=st.sampled_from(["", "crm"]),
    tags=st.sampled_from([(), ("always",)]),
)
rows = st.lists(st.tuples(st.sampled_from(["u1", "u2", ""]), cells, cells), max_size=8)


def said(parts: list[Part]) -> dict[int, tuple[str, tuple[str, ...]]]:
    """For each line its person and its different tags; of a line that cannot be one, nobody."""
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for part in parts:
        for place, number in enumerate(part.lines.tolist()):
            tags = {part.texts[text] for text in part.tagging_text[part.tagging_line == place].tolist()}
            # An empty tag is rejected by the engine, with its whole line.
            found[number] = ("", ()) if "" in tags else (part.keys[place].as_py()[1:].decode(), tuple(sorted(tags)))
        for rejected in part.rejected:
            found[rejected.line] = ("", ())
    return found


def meant(mapping: Mapping, lines: dict[int, dict[str, Cell]]) -> dict[int, tuple[str, tuple[str, ...]]]:
    """The same by the meaning itself."""
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for number, record in lines.items():
        try:
            _, person = record_person(mapping, record)
            tags = record_tags(mapping, record)
        except problems.LineInvalid:
            person, tags = "", ("",)
        found[number] = ("", ()) if "" in tags else (person, tuple(sorted(tags)))
    return found


def quoted(cell: str) -> str:
    return f'"{cell}"' if cell.strip() != cell or ";" in cell or not cell else cell


@given(mapping=mappings, rows=rows)
def test_csv_is_read_as_the_mapping_means_it(mapping: Mapping, rows: list[tuple[str, str, str]]) -> None:
    text = "".join(",".join(map(quoted, row)) + "\n" for row in [NAMES, *rows])
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_text(text, encoding="utf-8")
        found = said(list(read_mapped(path, "csv", "none", mapping)))
    assert found == meant(mapping, {n: dict(zip(NAMES, row, strict=True)) for n, row in enumerate(rows, 2)})


@given(mapping=mappings, rows=rows)
def test_parquet_is_read_as_the_mapping_means_it(mapping: Mapping, rows: list[tuple[str, str, str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        columns = {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(NAMES)}
        pq.write_table(pa.table(columns), path)
        found = said(list(read_mapped(path, "parquet", "none", mapping)))
    assert found == meant(mapping, {n: dict(zip(NAMES, row, strict=True)) for n, row in enumerate(rows, 1)})


def test_ids_of_parquet_may_be_numbers_beside_a_column_of_tags(tmp_path: Path) -> None:
    path = tmp_path / "file"
    pq.write_table(pa.table({"user": [1, 2], "tag": ["a", "b"]}), path)

    (part,) = read_mapped(path, "parquet", "none", Mapping(user="user", columns=(TagColumn(column="tag"),)))

    assert [key.as_py() for key in part.keys] == [b"u1", b"u2"]


def test_columns_that_say_why_a_row_was_rejected_are_none_of_a_files_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,a,tagloom_line\nu1,x,2\n")
    mapping = Mapping(user="user", columns=(ValueColumn(column="a", branch="a"),), unnamed="refuse")

    assert said(list(read_mapped(path, "csv", "none", mapping))) == {2: ("u1", ("a/x",))}


def test_a_line_number_is_that_of_the_records_first_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('user,a\nu1,"two\nlines"\n\nu2,x\n')

    assert [row.number for row in read_records(path, "csv", "none").rows] == [2, 5]


def test_a_row_with_a_cell_missing_is_rejected_and_holds_its_person(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,a,b\nu1,x\nu2,x,y\n")
    mapping = Mapping(user="user", columns=(ListColumn(column="a"), ListColumn(column="b")))

    (part,) = read_mapped(path, "csv", "none", mapping)

    assert [(each.line, each.problem) for each in part.rejected] == [(2, "line-invalid")]
    assert tuple(part.held) == (b"uu1",)


def test_a_column_that_is_not_named_is_refused_where_that_was_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,a,b\nu1,x,y\n")
    mapping = Mapping(user="user", columns=(ValueColumn(column="a", branch="a"),), unnamed="refuse")

    with pytest.raises(problems.ColumnsInvalid, match="'b' that the mapping does not name"):
        list(read_mapped(path, "csv", "none", mapping))


# The forms of a mapping.


def test_a_mapping_comes_back_from_its_json_form() -> None:
    mapping = parse_mapping(
        '{"user": "id", "columns": [{"type": "bands", "column": "tenure", "from": 0, "bands": '
        '[{"to": 12, "tag": "tenure/0-12"}, {"tag": "tenure/more"}]}]}'
    )

    assert record_tags(mapping, {"id": "u", "tenure": "12"}) == ("tenure/0-12",)
    assert record_tags(mapping, {"id": "u", "tenure": "12.5"}) == ("tenure/more",)


def test_the_first_toml_form_rejects_what_it_does_not_name() -> None:
    mapping = parse_mapping_toml(
        'user = "id"\nignore = ["x"]\n[columns.plan]\nvalues = { "Pro" = "plan/pro", "None" = "" }\n'
        '[columns.tags]\ntype = "list"\nseparator = "|"\n',
        "crm.toml",
    )

    assert (mapping.unnamed, mapping.ignore) == ("refuse", ("x",))
    assert record_tags(mapping, {"id": "u", "plan": "Pro", "tags": "a|b"}) == ("plan/pro", "a", "b")
    with pytest.raises(problems.LineInvalid, match="has no entry"):
        record_tags(mapping, {"id": "u", "plan": "pro", "tags": ""})


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ('{"columns": [{"type": "tag", "column": "t"}]}', "user id or the visitor id"),
        ('{"user": "id"}', "which columns become tags"),
        ('{"user": "id", "visitor": "id", "tags": ["a"]}', "more than once"),
        ('{"user": "id", "tags": ["A"]}', "capital"),
        ('{"user": "id", "tags": [""]}', "constant tags"),
        ('{"user": "id", "prefix": "a//b", "tags": ["a"]}', "prefix"),
        ('{"user": "id", "columns": [{"type": "list", "column": "t", "separator": ""}]}', "separator"),
        ('{"user": "id", "columns": [{"type": "bands", "column": "t", "bands": []}]}', "needs a band"),
        ('{"user": "id", "columns": [{"type": "other", "column": "t"}]}', "not one"),
        (
            '{"user": "id", "columns": [{"type": "bands", "column": "t", "bands": [{"to": 2, "tag": "a"}, '
            '{"to": 1, "tag": "b"}]}]}',
            "comes after",
        ),
        ("{", "not one"),
    ],
)
def test_a_mapping_that_cannot_be_carried_out_is_refused(form: str, says: str) -> None:
    with pytest.raises(problems.MappingInvalid, match=says):
        parse_mapping(form)
