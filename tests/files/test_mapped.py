"""Files of any columns: every reader says what the mapping means, record by record."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base.problems import BodyInvalid
from tagloom.files import Text, ids_mapping, read_text
from tagloom.files.mapped import read_mapped
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.record_reader import read_records
from tagloom.ports.writes import Part
from tagloom.words.attributes import ATTRIBUTE_TYPES, AttributeType, AttributeValue
from tagloom.words.cells import OddCell, cell_of
from tagloom.words.mappings import (
    AttributeColumn,
    Band,
    BandsColumn,
    Cell,
    Column,
    FlagColumn,
    ListColumn,
    Mapping,
    TagColumn,
    Value,
    ValueColumn,
    cell_value,
    check_mapping,
    check_mode,
    level_of,
    parse_mapping,
    parse_mapping_toml,
    record_attributes,
    record_person,
    record_tags,
)
from tagloom.words.problems import LineInvalid, MappingInvalid, PersonIdInvalid

NAMES = ("user", "a", "b")
cells = st.sampled_from(
    [
        "",
        " ",
        "1",
        "2.5",
        "9",
        "yes",
        "no",
        "x",
        "X y",
        "a/b",
        "p;q",
        "p; ;q",
        "N/A",
        "é",
        "2026-01-31",
        "9007199254740993",
    ]
)
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
        st.builds(
            AttributeColumn,
            column=st.just(name),
            attribute=st.just(f"of {name}"),
            value_type=st.sampled_from([None, *ATTRIBUTE_TYPES]),
            steps=steps,
        ),
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
    """For each line its person, and its different tags and values; of a line that cannot be one, nobody."""
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for part in parts:
        for place, number in enumerate(part.lines.tolist()):
            tags = {part.texts[text] for text in part.tagging_text[part.tagging_line == place].tolist()}
            if (values := part.attributes) is not None:
                of_line = values.line == place
                for name, value in zip(values.name[of_line].tolist(), values.value[of_line].tolist(), strict=True):
                    tags.add(f"{values.names[name]}={values.values[value]!r}")
            # An empty tag is rejected by the engine, with its whole line.
            found[number] = ("", ()) if "" in tags else (part.key_list()[place][1:].decode(), tuple(sorted(tags)))
        for rejected in part.rejected:
            found[rejected.line] = ("", ())
    return found


def meant(
    mapping: Mapping, lines: dict[int, dict[str, Cell]], *, blank_removes: bool = False
) -> dict[int, tuple[str, tuple[str, ...]]]:
    """The same by the meaning itself."""
    found: dict[int, tuple[str, tuple[str, ...]]] = {}
    for number, record in lines.items():
        try:
            _, person = record_person(mapping, record)
            tags = set(record_tags(mapping, record))
            for name, value in record_attributes(mapping, record).items():
                if value is not None or blank_removes:
                    tags.add(f"{name}={value!r}")
        except (LineInvalid, PersonIdInvalid):
            person, tags = "", {""}
        found[number] = ("", ()) if "" in tags else (person, tuple(sorted(tags)))
    return found


def quoted(cell: str) -> str:
    return f'"{cell}"' if cell.strip() != cell or ";" in cell or not cell else cell


@given(mapping=mappings, rows=rows, blank_removes=st.booleans())
def test_csv_is_read_as_the_mapping_means_it(
    mapping: Mapping, rows: list[tuple[str, str, str]], blank_removes: bool
) -> None:
    text = "".join(",".join(map(quoted, row)) + "\n" for row in [NAMES, *rows])
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_text(text, encoding="utf-8")
        found = said(list(read_mapped(path, "csv", "none", mapping, blank_removes=blank_removes)))
    records = {n: dict(zip(NAMES, row, strict=True)) for n, row in enumerate(rows, 2)}
    assert found == meant(mapping, records, blank_removes=blank_removes)


@given(mapping=mappings, rows=rows, blank_removes=st.booleans())
def test_parquet_is_read_as_the_mapping_means_it(
    mapping: Mapping, rows: list[tuple[str, str, str]], blank_removes: bool
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        columns = {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(NAMES)}
        pq.write_table(pa.table(columns), path)
        found = said(list(read_mapped(path, "parquet", "none", mapping, blank_removes=blank_removes)))
    records = {n: dict(zip(NAMES, row, strict=True)) for n, row in enumerate(rows, 1)}
    assert found == meant(mapping, records, blank_removes=blank_removes)


values_of_json = st.one_of(cells, st.sampled_from([None, True, False, 3, 0.5, 1e-7, 2**60, [], ["p", 1, " "], [True]]))
objects = st.lists(st.tuples(st.sampled_from(["u1", "u2", "", None]), values_of_json, values_of_json), max_size=8)


@given(mapping=mappings, rows=objects, blank_removes=st.booleans())
@pytest.mark.parametrize("format", ["ndjson", "json"])
def test_objects_are_read_as_the_mapping_means_them(
    format: Text, mapping: Mapping, rows: list[tuple[object, ...]], blank_removes: bool
) -> None:
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    body = json.dumps(records) if format == "json" else "".join(f"{json.dumps(each)}\n" for each in records)
    found = said(list(read_text(iter([body.encode()]), format, mapping, blank_removes=blank_removes)))
    cells = {n: {name: cell_of(value) for name, value in record.items()} for n, record in enumerate(records, 1)}
    assert found == meant(mapping, cells, blank_removes=blank_removes)


def test_ids_of_parquet_may_be_numbers_beside_a_column_of_tags(tmp_path: Path) -> None:
    path = tmp_path / "file"
    pq.write_table(pa.table({"user": [1, 2], "tag": ["a", "b"]}), path)

    (part,) = read_mapped(path, "parquet", "none", Mapping(user="user", columns=(TagColumn(column="tag"),)))

    assert list(part.key_list()) == [b"u1", b"u2"]


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

    with pytest.raises(ColumnsInvalid, match="'b' that the mapping does not name"):
        list(read_mapped(path, "csv", "none", mapping))


SMALL_MAPPING = """
user = "id"
ignore = ["note"]

[columns.plan]
values = { "Free" = "", "Gold" = "plan/gold" }

[columns.age]
from = 0
bands = [{ to = 17.5, tag = "age/young" }, { to = 99, tag = "age/grown-up" }]
"""


def read_small(tmp_path: Path, text: str) -> list[Part]:
    """What the small mapping makes of a file's text."""
    path = tmp_path / "people.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return list(read_mapped(path, "csv", "none", parse_mapping_toml(SMALL_MAPPING, "small.toml")))


def test_a_band_holds_its_upper_bound_and_not_the_next_number(tmp_path: Path) -> None:
    rows = "id,plan,age,note\na,Free,0,\nb,Free,17.50,\nc,Free,17.51,\nd,Free,99,\n"

    assert said(read_small(tmp_path, rows)) == {
        2: ("a", ("age/young",)),
        3: ("b", ("age/young",)),
        4: ("c", ("age/grown-up",)),
        5: ("d", ("age/grown-up",)),
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_bom_crlf_quotes_column_order_delimiter_and_empty_lines_change_nothing(tmp_path: Path, delimiter: str) -> None:
    text = '\ufeffnote,age,plan,id\r\n\r\n"x\r\ny",4,Gold,"a""1"\r\n'.replace(",", delimiter)

    assert said(read_small(tmp_path, text)) == {3: ('a"1', ("age/young", "plan/gold"))}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,Silver,4,", "Column 'plan': 'Silver' has no entry in the mapping."),
        ("a,gold,4,", "Column 'plan': 'gold' has no entry in the mapping."),
        ("a,,4,", "Column 'plan': '' has no entry in the mapping."),
        ("a,Gold,,", "Column 'age': '' is blank, and the mapping has no 'blank'."),
        ("a,Gold, ,", "Column 'age': ' ' is blank, and the mapping has no 'blank'."),
        ("a,Gold,four,", "Column 'age': 'four' is not a number."),
        ("a,Gold,nan,", "Column 'age': 'nan' is not a number."),
        ("a,Gold,1_0,", "Column 'age': '1_0' is not a number."),
        ("a,Gold,-1,", "Column 'age': '-1' is in no band."),
        ("a,Gold,99.01,", "Column 'age': '99.01' is in no band."),
        ("a,Gold,4", "Line 3 has 3 cells, but the header has 4 columns."),
        ("a,Gold,4,,", "Line 3 has 5 cells, but the header has 4 columns."),
        (",Gold,4,", "Line 3 names no person."),
    ],
)
def test_a_row_that_cannot_be_understood_is_rejected_alone_and_says_why(tmp_path: Path, row: str, says: str) -> None:
    (part,) = read_small(tmp_path, f"id,plan,age,note\nok,Free,1,\n{row}\n")

    assert [(each.line, each.detail) for each in part.rejected] == [(3, says)]
    assert len(part.lines) == 1


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,plan,note", "no column 'age'"),
        ("id,plan,age,note,city", "a column 'city' that the mapping does not name. Map it or ignore it."),
        ("id,plan,age,note,plan", "two columns 'plan'"),
        ("", "no header"),
    ],
)
def test_header_and_mapping_must_name_the_same_columns(tmp_path: Path, header: str, says: str) -> None:
    with pytest.raises(BodyInvalid, match=says):
        read_small(tmp_path, f"{header}\n")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b'b,"Go"ld,4,', "Line 3 has text after a closing quote, in column 'plan'"),
        (b'b,"Gold" ,4,', "Line 3 has text after a closing quote, in column 'plan'"),
        (b'b,"Gold,4,', "Line 3 has a quote that is never closed, in column 'plan'"),
        (b"b,\xff,4,", "Line 3 is not UTF-8 at byte 2, in column 'plan'"),
        (b"b," + b"x" * 1_200_000, "Line 3 has more than 1048576 bytes"),
        (b"id,plan,age,note", "Line 3 repeats the header"),
    ],
)
def test_a_bad_line_of_a_mapped_file_is_rejected_alone_and_the_rest_goes_on(
    tmp_path: Path, row: bytes, says: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"id,plan,age,note\na,Gold,1,\n" + row + b"\nc,Gold,5,x\nd,Free,20,\n")

    parts = list(read_mapped(path, "csv", "none", parse_mapping_toml(SMALL_MAPPING, "small.toml")))

    (rejected,) = [each for part in parts for each in part.rejected]
    assert (rejected.line, rejected.problem.startswith("line-")) == (3, True)
    assert rejected.detail.startswith(says)
    assert [number for part in parts for number in part.lines.tolist()] == [2, 4, 5]


def test_a_cell_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,plan,age,note\na,Gold,1," + "x" * 200_000 + "\n")

    (part,) = read_mapped(path, "csv", "none", parse_mapping_toml(SMALL_MAPPING, "small.toml"))

    assert (part.lines.tolist(), part.rejected) == ([2], ())


def test_a_text_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"PAR1 not really")

    with pytest.raises(BodyInvalid, match="Parquet"):
        list(read_mapped(path, "parquet", "none", Mapping(user="user", tags=("a",))))


def test_a_person_may_be_a_user_in_one_row_and_a_visitor_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("u,v,t\nada,,a\n,xyz,b\nbob,x,c\n,,d\n")

    (part,) = read_mapped(path, "csv", "none", Mapping(user="u", visitor="v", columns=(ListColumn(column="t"),)))
    assert list(part.key_list()) == [b"uada", b"vxyz"]
    # Whoever a rejected row names loses nothing in a mirror.
    assert tuple(part.held) == (b"ubob", b"vx")


@given(st.text(max_size=40))
def test_a_level_of_any_text_is_lower_case_without_slashes_or_spaces(text: str) -> None:
    level = level_of(text)

    assert level == level.lower()
    assert "/" not in level
    assert not any(each.isspace() for each in level)


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
    with pytest.raises(LineInvalid, match="has no entry"):
        record_tags(mapping, {"id": "u", "plan": "pro", "tags": ""})


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ('{"columns": [{"type": "tag", "column": "t"}]}', "user id or of the visitor id"),
        ('{"user": "id"}', "columns that become tags"),
        ('{"user": "id", "visitor": "id", "tags": ["a"]}', "more than once"),
        ('{"user": "id", "tags": ["A"]}', "capital"),
        ('{"user": "id", "tags": [""]}', "constant tags"),
        ('{"user": "id", "prefix": "a//b", "tags": ["a"]}', "prefix"),
        ('{"user": "id", "columns": [{"type": "list", "column": "t", "separator": ""}]}', "separator"),
        ('{"user": "id", "columns": [{"type": "bands", "column": "t", "bands": []}]}', "needs a band"),
        ('{"user": "id", "columns": [{"type": "other", "column": "t"}]}', "cannot be read"),
        (
            '{"user": "id", "columns": [{"type": "bands", "column": "t", "bands": [{"to": 2, "tag": "a"}, '
            '{"to": 1, "tag": "b"}]}]}',
            "comes after",
        ),
        ("{", "cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_carried_out_is_refused(form: str, says: str) -> None:
    with pytest.raises(MappingInvalid, match=says):
        parse_mapping(form)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user = ", "is not a mapping in TOML"),
        ("columns = 1", "is not a mapping in TOML"),
        ('user = "id"\n[columns]', "columns that become tags"),
        ('user = "id"\nusers = 1\n[columns]', "unknown field `users`"),
        ('user = "id"\n[columns.a]\nvalues = { x = 1 }', "Expected `str`, got `int`"),
        ('user = "id"\n[columns.a]', "needs a type, values, bands or an attribute"),
        ('user = "id"\n[columns.a]\nvalues = {}\nbands = []', "unknown field `values`"),
        ('user = "id"\n[columns.a]\nvalues = {}\nblank = ""', "unknown field `blank`"),
        ('user = "id"\n[columns.a]\nbands = [{ tag = "x" }, { to = 1, tag = "y" }]', "in all but the last"),
        ('user = "id"\n[columns.a]\nbands = [{ to = 2, tag = "x" }, { to = 2, tag = "y" }]', "2 comes after 2"),
        ('user = "id"\n[columns.a]\nfrom = 3\nbands = [{ to = 2, tag = "x" }]', "2 comes after 3"),
        ('user = "id"\n[columns.a]\nbands = [{ to = nan, tag = "x" }]', "is not a finite number"),
        ('user = "id"\nignore = ["id"]\n[columns.a]\nvalues = {}', "'id' is named more than once"),
        ('user = "id"\n[columns.a]\nvalues = { x = "Plan/Gold" }', "has a capital letter at character 1"),
        ('user = "id"\n[columns.a]\nbands = [{ tag = "a/b/c/d" }]', "has 4 levels"),
        ('user = "id"\n[columns.a]\nvalues = { x = "cafe\u0301" }', "is not in NFC"),
    ],
)
def test_a_mapping_of_toml_that_cannot_be_used_says_why(text: str, says: str) -> None:
    with pytest.raises(MappingInvalid) as caught:
        parse_mapping_toml(text, "mapping.toml")

    assert says in caught.value.detail


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("true", "is true or false and not an id"),
        ('{"$oid":"64b7"}', "is an object and not an id"),
        ("[1]", "is a list and not an id"),
        ("1.5", "has a fraction"),
        ("1e999", "beyond 2^53"),
        ("9007199254740992", "beyond 2^53"),
    ],
)
def test_nothing_becomes_an_id_that_is_none(tmp_path: Path, value: str, says: str) -> None:
    path = tmp_path / "file"
    path.write_text(
        f'{{"id":{value},"p":"x","other":"known"}}\n{{"id":9007199254740991,"p":"x"}}\n{{"id":-7.0,"p":"y"}}\n'
    )

    (part,) = read_mapped(path, "ndjson", "none", Mapping(user="id", columns=(ListColumn(column="p"),)))

    assert list(part.key_list()) == [b"u9007199254740991", b"u-7"]
    (rejected,) = part.rejected
    assert says.removeprefix("has ") in rejected.detail
    # Whoever else the line may name is looked up.
    assert b"uknown" in part.doubts[0].keys


@pytest.mark.parametrize("line", ['{"id":"u1","p":"x","p":"y"}', '{"id":"u1","a":{"b":1,"\\u0062":2},"p":"x"}'])
def test_a_field_that_comes_twice_rejects_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "file"
    path.write_text(line + "\n")

    (part,) = read_mapped(path, "ndjson", "none", Mapping(user="id", columns=(ListColumn(column="p"),)))

    assert "more than once" in part.rejected[0].detail
    assert b"uu1" in part.doubts[0].keys


def test_half_of_a_character_rejects_its_line_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"id":"u1","p":"\\ud83d"}\n{"id":"u2","p":"\\ud83c\\udfc8"}\n')

    (part,) = read_mapped(path, "ndjson", "none", Mapping(user="id", columns=(ListColumn(column="p"),)))

    assert [each.detail for each in part.rejected] == ["Line 1 holds half of a character, such as \\ud83d."]
    assert list(part.key_list()) == [b"uu2"]


def test_values_of_json_are_plain_decimals(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(
        '{"id":"a","score":0.00005}\n{"id":"b","score":1e2}\n{"id":"c","score":0E-7}\n{"id":"d","score":1e-999}\n'
    )
    bands = BandsColumn(column="score", bands=(Band(to=1, tag="low"), Band(tag="high")))

    (part,) = read_mapped(path, "ndjson", "none", Mapping(user="id", columns=(bands,)))

    assert said([part]) == {1: ("a", ("low",)), 2: ("b", ("high",)), 3: ("c", ("low",)), 4: ("", ())}


def test_a_value_too_long_for_a_level_is_not_cut_off() -> None:
    values = ["x" * 64 + end for end in "ab"]
    column = ValueColumn(column="p", branch="p")
    mapping = Mapping(user="id", columns=(column,))

    assert len({record_tags(mapping, {"id": "u", "p": value}) for value in values}) == 2


@pytest.mark.parametrize("column", ["user", "visitor"])
def test_everybody_in_a_parquet_file_gets_one_tag(tmp_path: Path, column: str) -> None:
    path = tmp_path / "file"
    pq.write_table(pa.table({column: ["a", "b"]}), path)

    (part,) = read_mapped(path, "parquet", "none", ids_mapping("x"))

    assert list(part.key_list()) == [f"{column[0]}{id}".encode() for id in "ab"]
    assert said([part]) == {1: ("a", ("x",)), 2: ("b", ("x",))}


@pytest.mark.parametrize(
    "text",
    [
        "id,note,note,,,plan\nu1,x,y,,,Gold\n",
        '"id";"a,b,c,d,e";"plan"\n"u1";"x";"Gold"\n',
        "'id','a;b;c;d','plan'\n'u1','x','Gold'\n",
    ],
)
def test_columns_that_are_not_mapped_may_be_called_anything(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    parts = list(read_mapped(path, "csv", "none", Mapping(user="id", columns=(TagColumn(column="plan"),))))

    assert said(parts) == {2: ("u1", ("Gold",))}


# Attributes.

DAY = 86_400_000


@pytest.mark.parametrize(
    ("type", "cell", "value"),
    [
        ("boolean", "Yes", AttributeValue("boolean", True)),
        ("boolean", "0", AttributeValue("boolean", False)),
        ("boolean", OddCell("true", "a boolean"), AttributeValue("boolean", True)),
        ("number", " 3 ", AttributeValue("number", 3)),
        ("number", "3.00", AttributeValue("number", 3)),
        ("number", "-0.5", AttributeValue("number", -0.5)),
        ("number", OddCell("2.5", "a number with a fraction"), AttributeValue("number", 2.5)),
        ("text", " Gold ", AttributeValue("text", "Gold")),
        ("text", "1", AttributeValue("text", "1")),
        ("text", "1970-01-02", AttributeValue("text", "1970-01-02")),
        ("time", "1970-01-02", AttributeValue("time", DAY)),
        ("time", "1970-01-02 01:00:00+01:00", AttributeValue("time", DAY)),
        ("time", OddCell("1970-01-02", "a date"), AttributeValue("time", DAY)),
        ("list", "a; ;b", AttributeValue("list", ("a", "b"))),
        ("list", ("a", " b "), AttributeValue("list", ("a", "b"))),
        (None, "1", "1"),
        (None, OddCell("2.5", "a number with a fraction"), "2.5"),
        (None, "1970-01-02", "1970-01-02"),
        (None, OddCell("false", "a boolean"), False),
        (None, ("a", "1"), ("a", "1")),
        ("number", " ", None),
        ("boolean", "", None),
        ("text", (), None),
        ("list", ";", None),
        (None, "", None),
    ],
)
def test_a_cell_becomes_a_value_of_its_type(type: AttributeType | None, cell: Cell, value: Value | None) -> None:
    found = cell_value(AttributeColumn(column="a", attribute="x", value_type=type), cell)

    assert repr(found) == repr(value)


@pytest.mark.parametrize(
    ("type", "cell", "says"),
    [
        ("boolean", "maybe", "Column 'a': 'maybe' is neither yes nor no."),
        ("number", "1,5", "Column 'a': '1,5' is not a number."),
        ("number", "9" * 16 + ".0", "which is not exact. Send it as a text."),
        ("number", "9" * 500, "is a number beyond 2^53, which is not exact."),
        ("number", "9" * 500 + ".5", "is beyond the greatest number."),
        ("time", "31.01.2026", "is neither a date such as 2026-01-31 nor a time with a zone"),
        ("time", "2026-01-31 10:00", "is neither a date such as 2026-01-31 nor a time with a zone"),
        ("text", "x" * 1_025, "Column 'a': The text has 1,025 bytes; at most 1,024 are allowed."),
        ("list", ";".join(map(str, range(101))), "Column 'a': A list has at most 100 items"),
        ("text", ("a", "b"), "Column 'a': 'a, b' is a list, and the mapping expects a text."),
        (None, OddCell("", "a structure of fields"), "Column 'a' holds a structure of fields."),
    ],
)
def test_a_cell_that_cannot_be_a_value_is_told_with_its_column(
    type: AttributeType | None, cell: Cell, says: str
) -> None:
    with pytest.raises(LineInvalid) as caught:
        cell_value(AttributeColumn(column="a", attribute="x", value_type=type), cell)

    assert says in caught.value.detail
    assert caught.value.members["column"] == "a"


def test_a_row_with_a_bad_value_is_rejected_alone_and_its_person_held(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,a\nu1,3\nu2,three\nu3,4\n")
    column = AttributeColumn(column="a", attribute="seats", value_type="number")

    (part,) = read_mapped(path, "csv", "none", Mapping(user="user", columns=(column,)))

    assert part.lines.tolist() == [2, 4]
    assert [(each.line, each.problem, each.value) for each in part.rejected] == [(3, "line-invalid", "u2,three")]
    assert list(part.held) == [b"uu2"]


def test_each_different_cell_of_a_column_is_one_value_of_the_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,a\n" + "".join(f"u{n},{n % 3}\n" for n in range(3_000)))
    column = AttributeColumn(column="a", attribute="seats", value_type="number")

    (part,) = read_mapped(path, "csv", "none", Mapping(user="user", columns=(column,)))

    assert part.attributes is not None
    assert (part.attributes.names, len(part.attributes.line)) == (("seats",), 3_000)
    assert list(part.attributes.values) == [AttributeValue("number", n) for n in (0, 1, 2)]


def test_a_table_of_toml_with_an_attribute_needs_no_type() -> None:
    mapping = parse_mapping_toml('user = "id"\n[columns.Plan]\nattribute = "plan"\nvalue_type = "text"', "mapping.toml")

    assert mapping.columns == (AttributeColumn(column="Plan", attribute="plan", value_type="text"),)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([AttributeColumn(column="a", attribute="")], "is not the name of an attribute"),
        ([AttributeColumn(column="a", attribute="cafe\u0301")], "is not in NFC"),
        ([AttributeColumn(column=name, attribute="x") for name in "ab"], "Two columns are the attribute 'x'."),
        ([AttributeColumn(column="a", attribute=f"x{n}") for n in range(201)], "at most 200 attributes"),
        ([AttributeColumn(column="a", attribute="x", separator="")], "needs a separator"),
    ],
)
def test_a_mapping_of_attributes_that_cannot_be_used_says_why(columns: list[AttributeColumn], says: str) -> None:
    with pytest.raises(MappingInvalid, match=says):
        check_mapping(Mapping(user="id", columns=tuple(columns)))


def test_mode_remove_refuses_a_mapping_with_attributes() -> None:
    mapping = Mapping(user="id", columns=(TagColumn(column="t"), AttributeColumn(column="Plan", attribute="plan")))

    check_mode(mapping, "mirror")
    with pytest.raises(MappingInvalid, match=r"column 'Plan' is an attribute\. Use a mapping without attributes\."):
        check_mode(mapping, "remove")
