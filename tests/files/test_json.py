"""NDJSON and JSON: the fast reader agrees with a slow one on every text, and bad lines get exactly what is promised."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.files import Line, read_parts
from tagloom.files import limits as files_limits
from tagloom.words import limits as words_limits
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tests.files.reading import Said, chunked, read, rejections, said_by, small_limits

# The slow twin: one line after another, by the standard library.


class Refused(Exception):
    """The problem of a line."""


def slow_line(text: bytes, number: int, *, allow_change: bool) -> Line:
    """Raises: Refused."""
    if len(text) > words_limits.LINE_BYTES_MAX:
        raise Refused("line-too-long")
    try:
        pairs = json.loads(text.decode("utf-8"), object_pairs_hook=Pairs, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("line-invalid") from error
    lists = ("add", "remove") if allow_change else ("tags",)
    if not isinstance(pairs, Pairs):
        raise Refused("line-invalid")
    names = [name for name, _ in pairs]
    singles = set() if allow_change else {"tag"}
    if len(set(names)) != len(names) or not set(names) <= {"user", "visitor", *lists, *singles, "attributes"}:
        raise Refused("line-invalid")
    has_attributes = dict(pairs).get("attributes") is not None
    if not (set(names) & {*lists, *singles} or has_attributes) or {"tag", "tags"} <= set(names):
        raise Refused("line-invalid")
    fields = {name: value for name, value in pairs if name not in ("user", "visitor") or value is not None}
    if ("user" in fields) == ("visitor" in fields):
        raise Refused("line-invalid")
    kind = "user" if "user" in fields else "visitor"
    id = fields[kind]
    if isinstance(id, int | float) and not isinstance(id, bool) and id == int(id) and abs(id) < 2**53:
        id = str(int(id))
    if not isinstance(id, str):
        raise Refused("line-invalid")
    if "tag" in fields:
        fields["tags"] = [fields["tag"]]
    try:
        key = kind[0].encode() + parse_id(id).encode()
    except PersonIdInvalid as problem:
        raise Refused(problem.slug()) from problem
    for name in lists:
        tags = fields.get(name, [])
        if not isinstance(tags, list) or isinstance(tags, Pairs) or len(tags) > files_limits.TAGS_PER_LINE_MAX:
            raise Refused("line-invalid")
        for tag in tags:
            if not isinstance(tag, str):
                raise Refused("line-invalid")
            if any("\ud800" <= character <= "\udfff" for character in tag):
                raise Refused("tag-has-control")
    attributes = {} if fields.get("attributes") is None else slow_attributes(fields["attributes"])
    return Line(number, key, tuple(fields.get(lists[0], ())), tuple(fields.get("remove", ())), attributes=attributes)


def slow_attributes(value: object) -> dict[str, object]:
    """Raises: Refused."""
    if not isinstance(value, Pairs):
        raise Refused("line-invalid")
    found: list[tuple[str, object]] = []
    flatten_slowly("", value, 16, found)
    if len(dict(found)) != len(found) or len(found) > words_limits.ATTRIBUTES_PER_PERSON_MAX:
        raise Refused("line-invalid")
    return dict(found)


def flatten_slowly(above: str, fields: "Pairs", levels: int, found: list[tuple[str, object]]) -> None:
    for name, value in fields:
        if isinstance(value, Pairs) and value:
            plain_slowly(value, levels - 1)
            flatten_slowly(f"{above}{name}.", value, levels - 1, found)
        else:
            found.append((above + name, plain_slowly(value, levels - 1)))
    plain_slowly(fields, levels)


def plain_slowly(value: object, levels: int) -> object:
    if isinstance(value, list) and not levels:
        raise Refused("line-invalid")
    if isinstance(value, Pairs):
        if len(dict(value)) != len(value):
            raise Refused("line-invalid")
        return {name: plain_slowly(each, levels - 1) for name, each in value}
    if isinstance(value, list):
        return [plain_slowly(each, levels - 1) for each in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        raise Refused("line-invalid")
    return value


class Pairs(list[tuple[str, object]]):
    pass


def refuse_constant(name: str) -> None:
    raise ValueError(name)


def slow_ndjson(body: bytes, *, allow_change: bool = False) -> tuple[list[Line], list[tuple[int, str]]]:
    """The good lines of a body, and the bad ones."""
    good, bad = [], []
    if b"\n" not in body:
        # Where no line ends with LF, CR alone ends it.
        body = body.replace(b"\r", b"\n")
    for number, text in enumerate(body.split(b"\n"), 1):
        if text.strip(b" \t\r"):
            try:
                good.append(slow_line(text, number, allow_change=allow_change))
            except Refused as refused:
                bad.append((number, str(refused)))
    return good, bad


ids = st.sampled_from(
    [
        "u1",
        "é",
        "日本\U0001f600",
        'q"',
        'a":b',
        "user",
        "a :b",
        "x" * 256,
        "x" * 257,
        "",
        "a\x00",
        "a\u2028",
        "\ud800",
        "\x85",
    ]
)
tags = st.sampled_from(["a", "b/c", "tags", 'x":', "é", "\ud800", "\x00", "A b"])
odd = st.sampled_from(
    [None, 1, 0, -7, 1001.0, 2**53, 2**53 - 1, 10**40, 1.5, True, {}, [], "text", {"a": 1}, [1], ["a", None], [["a"]]]
)
lists = st.lists(tags, max_size=4)
values = st.one_of(
    odd,
    st.sampled_from(
        ["gold", 'a":b', "\ud800", "", 0.1, -0.0, 1e300, 2**64, -(10**39), False, [], [[], {"a": 1}], {"": {}}]
    ),
)
attributes = st.one_of(
    st.dictionaries(st.sampled_from(["a", "b", "a.b", "é", "", "\ud800"]), values, max_size=4),
    st.dictionaries(
        st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from(["b", "c"]), values, max_size=2), max_size=2
    ),
)
fields = st.one_of(
    st.tuples(st.just("attributes"), attributes),
    st.tuples(st.sampled_from(["user", "visitor"]), ids),
    st.tuples(st.sampled_from(["tags", "add", "remove"]), lists),
    st.tuples(st.sampled_from(["user", "visitor", "tag", "tags", "add", "remove", "Tags", "x", "attributes"]), odd),
    st.tuples(st.just("tag"), tags),
)
objects = st.one_of(
    st.lists(fields, max_size=5),
    st.tuples(st.tuples(st.just("user"), ids), st.tuples(st.just("tags"), lists)),
    st.tuples(
        st.tuples(st.just("visitor"), st.none()), st.tuples(st.just("user"), odd), st.tuples(st.just("tag"), tags)
    ),
    st.tuples(
        st.tuples(st.just("visitor"), ids), st.tuples(st.just("add"), lists), st.tuples(st.just("remove"), lists)
    ),
    st.tuples(st.tuples(st.just("user"), ids), st.tuples(st.just("attributes"), attributes)),
    st.tuples(
        st.tuples(st.just("attributes"), attributes),
        st.tuples(st.just("user"), st.just("u1")),
        st.tuples(st.sampled_from(["tags", "add"]), lists),
    ),
)


@st.composite
def lines(draw: Callable[..., object]) -> bytes:
    pairs = draw(objects)
    colon = draw(st.sampled_from([":", ": ", " : ", "\t:"]))
    is_ascii = draw(st.booleans())
    assert isinstance(pairs, list | tuple)
    written = [json.dumps(name) + str(colon) + json.dumps(value, ensure_ascii=bool(is_ascii)) for name, value in pairs]
    return ("{" + ", ".join(written) + "}").encode("utf-8", "surrogatepass")


good_lines = st.sampled_from(
    [
        b'{"user":"u1","tags":["a"]}',
        b'{"visitor":"v1","tags":[]}',
        b'{"user":"u1","add":["a"]}',
        b'{"user":1001,"tag":"a"}',
        b'{"user":"u1","visitor":null,"tag":"a"}',
        b'{"user":"u1","attributes":{"plan":"gold","company":{"size":3},"old":null}}',
        b'{"user":"u1","attributes" : {"a":1,"a":2},"tags":["a"]}',
    ]
)
soup = st.sampled_from(
    [b"", b" ", b"\r", b"\n", b"{", b"}", b"[]", b"{}", b"\xff", b"\x00", b'"', b"null", b"\xef\xbb\xbf"]
)
bodies = st.lists(st.one_of(lines(), good_lines, good_lines, soup), max_size=12).flatmap(
    lambda pieces: st.sampled_from([b"\n", b"\r\n", b"\n\n", b""]).map(lambda end: end.join(pieces))
)
chunk_sizes = st.lists(st.integers(0, 60), max_size=12)


@given(bodies, chunk_sizes, st.booleans())
@example(b'{"user":\n"a"}\n{"user":"b","tags":[]}{"user":"c","tags":[]}\n', [], False)
@example(b'{"user":"a","tags":[],"t\\u0061gs":[]}\n{"user":"b","tags" :[]}\n', [], False)
@example(b'{"tags":[]}\n{"user":"b","user":"b","tags":[]}\n', [], False)
@example(b'{"user":"a","attributes":\n{"a":1}}\n{"user":"b","tags":[]}{"user":"c","tags":[]}\n', [], False)
@example(b'{"user":"a","tags":["a"],"\\u0061ttributes" :{"a" :1}}\n', [], False)
def test_any_ndjson_is_read_as_the_slow_reader_reads_it(body: bytes, chunks: list[int], allow_change: bool) -> None:
    found = read(body, "ndjson", chunks=chunks, allow_change=allow_change)

    expected = slow_ndjson(body.removeprefix(b"\xef\xbb\xbf"), allow_change=allow_change)
    assert repr((found.lines, found.rejected)) == repr(expected), "True, 1 and 1.0 are different values"


@given(bodies, chunk_sizes, st.booleans())
def test_any_ndjson_is_read_alike_however_small_the_parts(body: bytes, chunks: list[int], allow_change: bool) -> None:
    with small_limits(line_bytes=50, part_bytes=200):
        found = read(body, "ndjson", chunks=chunks, allow_change=allow_change)
        expected = slow_ndjson(body.removeprefix(b"\xef\xbb\xbf"), allow_change=allow_change)

    assert repr((found.lines, found.rejected)) == repr(expected)


@given(st.lists(st.one_of(lines(), good_lines), max_size=8), st.sampled_from([",", " ,\n", "\t, "]), st.booleans())
def test_a_list_of_json_is_read_as_its_items_are_as_lines(items: list[bytes], comma: str, allow_change: bool) -> None:
    body = b'{"taggings": [' + comma.encode().join(items) + b"\n]}"

    found = read(body, "json", chunks=[7, 0, 30], allow_change=allow_change)

    assert repr((found.lines, found.rejected)) == repr(slow_ndjson(b"\n".join(items), allow_change=allow_change))


# What bad lines get.

GOOD = b'{"user":"before","tags":["a"]}\n'


def one_rejected(line: bytes, *, allow_change: bool = False) -> tuple[str, str, list[bytes]]:
    """Problem, detail and held people of the only bad line, the second of three."""
    good = GOOD.replace(b"tags", b"add") if allow_change else GOOD
    body = good + line + b"\n" + good
    said = read(body, "ndjson", allow_change=allow_change)
    assert [each.number for each in said.lines] == [1, 3]
    (rejected,) = rejections(body, "ndjson", allow_change=allow_change)
    assert rejected.line == 2
    assert len(rejected.value) <= base_limits.VALUE_CHARACTERS_MAX
    if not allow_change:
        as_json = b'{"taggings":[' + body.strip().replace(b"\n", b",") + b"]}"
        try:
            assert read(as_json, "json") == said
        except BodyInvalid:
            # What is no JSON value at all ends the whole body.
            assert "not JSON" in rejected.detail
    return rejected.problem, rejected.detail, said.held


def test_a_line_that_is_not_json_is_rejected_alone_and_its_person_held() -> None:
    assert one_rejected(b'{"user":"u1","tags":["a"')[::2] == ("line-invalid", [b"uu1"])


def test_an_unknown_field_is_named_with_the_one_that_was_meant() -> None:
    problem, detail, held = one_rejected(b'{"user":"u1","Tags":["a"]}')

    assert (problem, held) == ("line-invalid", [b"uu1"])
    assert detail == "Line 2 has the unknown field 'Tags'; the tags of a line are in 'tags' here."
    assert rejections(b'{"user":"u1","Tags":["a"]}', "ndjson")[0].suggestion == "tags"


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (
            b'{"user":1.5,"tags":["a"]}',
            "Line 2 has a 'user' that is a number with a fraction and not an id; export ids as text.",
        ),
        (
            b'{"user":9007199254740992,"tags":["a"]}',
            "Line 2 has a 'user' that is a number beyond 2^53, whose last digits may be lost; export ids as text.",
        ),
        (
            b'{"user":1.58292136143276e18,"tags":["a"]}',
            "Line 2 has a 'user' that is a number beyond 2^53, whose last digits may be lost; export ids as text.",
        ),
        (
            b'{"user":true,"tags":["a"]}',
            "Line 2 has a 'user' that is true or false and not an id; export the column of ids.",
        ),
        (
            b'{"user":{"$oid":"64b7"},"tags":["a"]}',
            "Line 2 has a 'user' that is an object and not an id; export the id as text, or map the path to it.",
        ),
        (b'{"user":"u1","tag":"a","tags":["b"]}', "Line 2 has both 'tag' and 'tags'."),
        (b'{"user":"u1","tag":null}', "Line 2 has a tag in 'tag' that is no text."),
        (b'{"user":null,"tags":["a"]}', "Line 2 names neither a user nor a visitor."),
        (b'{"user":"u1","tags":"a"}', "Line 2 has 'tags' that is no list."),
        (b'{"user":"u1","tags":null}', "Line 2 has 'tags' that is no list."),
        (b'{"user":"u1","tags":[1]}', "Line 2 has a tag in 'tags' that is no text."),
        (b'{"user":"u1","tags":[{}]}', "Line 2 has a tag in 'tags' that is no text."),
        (b'{"user":"u1"}', "Line 2 lacks 'tags'."),
        (b'{"tags":["a"]}', "Line 2 names neither a user nor a visitor."),
        (b'{"user":"u1","visitor":"v1","tags":[]}', "Line 2 names both a user and a visitor."),
        (b'{"user":"u1","user":"u2","tags":[]}', "Line 2 has the field 'user' more than once."),
        (b'{"user":"u1","tags":["a"],"t\\u0061gs":["b"]}', "Line 2 has the field 'tags' more than once."),
        (b'["user"]', "Line 2 is no JSON object."),
        (b"7", "Line 2 is no JSON object."),
        (b'{"user":"u1","tags":["\xff"]}', "Line 2 is not UTF-8 at byte 22."),
    ],
)
def test_a_wrong_line_is_told_what_is_wrong(line: bytes, detail: str) -> None:
    assert one_rejected(line)[:2] == ("line-invalid", detail)


@pytest.mark.parametrize("id", [b"", b"\\u0000", b"\\ud800", b"a\\u2028", b"\\u0085", b"x" * 257])
def test_an_invalid_id_rejects_the_line(id: bytes) -> None:
    assert one_rejected(b'{"user":"' + id + b'","tags":["a"]}')[0] == "person-id-invalid"


def test_a_lone_surrogate_in_a_tag_rejects_the_line_and_holds_its_person() -> None:
    assert one_rejected(b'{"user":"u1","tags":["\\ud800"]}')[::2] == ("tag-has-control", [b"uu1"])


def test_a_raw_nul_rejects_the_line() -> None:
    assert one_rejected(b'{"user":"u1","tags":["a\x00"]}')[0] == "line-invalid"


def test_too_many_tags_reject_the_line() -> None:
    many = b",".join([b'"a"'] * (files_limits.TAGS_PER_LINE_MAX + 1))

    assert one_rejected(b'{"user":"u1","tags":[' + many + b"]}")[::2] == ("line-invalid", [b"uu1"])


def test_nesting_without_end_rejects_the_line() -> None:
    assert one_rejected(b'{"user":"u1","tags":' + b"[" * 5_000 + b"]" * 5_000 + b"}")[0] == "line-invalid"
    assert one_rejected(b"[" * 100_000)[0] == "line-invalid"


def test_a_line_of_ten_megabytes_is_rejected_alone_and_its_person_held() -> None:
    chunks = [GOOD, b'{"user":"u1","tags":["', *[b"x" * 65_536] * 160, b'"]}\n', GOOD]

    found = said_by(read_parts(iter(chunks), "ndjson"))

    assert found.rejected == [(2, "line-too-long")]
    assert found.held == [b"uu1"]
    assert [line.number for line in found.lines] == [1, 3]


def test_empty_lines_crlf_a_byte_order_mark_and_a_missing_last_line_end_are_nothing_special() -> None:
    body = b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n") + b"\n \n\r\n" + GOOD.strip()

    assert read(body, "ndjson") == Said([Line(1, b"ubefore", ("a",)), Line(5, b"ubefore", ("a",))], [], [])


def test_mode_change_reads_add_and_remove_and_refuses_tags() -> None:
    body = b'{"user":"u1","add":["a"],"remove":["b","c"]}\n{"visitor":"v1","remove":["d"]}\n'

    assert read(body, "ndjson", allow_change=True).lines == [
        Line(1, b"uu1", ("a",), ("b", "c")),
        Line(2, b"vv1", (), ("d",)),
    ]
    assert "unknown field 'tags'" in one_rejected(b'{"user":"u1","tags":["a"]}', allow_change=True)[1]
    assert "lacks 'add' and 'remove'" in one_rejected(b'{"user":"u1"}', allow_change=True)[1]
    assert "unknown field 'add'" in one_rejected(b'{"user":"u1","add":["a"]}')[1]


def test_a_person_without_tags_is_a_good_line() -> None:
    assert read(b'{"user":"u1","tags":[]}', "ndjson").lines == [Line(1, b"uu1")]
    assert read(b'{"user":"u1","add":[]}', "ndjson", allow_change=True).lines == [Line(1, b"uu1")]


def test_nothing_but_bad_lines_makes_small_parts() -> None:
    parts = list(read_parts(iter([b"x\n" * 100_000]), "ndjson"))

    assert sum(len(part.rejected) for part in parts) == 100_000
    assert max(len(part.rejected) for part in parts) < 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[",
        b"[]}",
        b"7",
        b'{"taggings":[]',
        b'{"taggings":[{"user":"u1"]}',
        b'{"taggings":[{"user":"u1","tags":[]},]}',
        b'{"taggings":[{"user":"u1","tags":[]} {"user":"u1","tags":[]}]}',
        b'{"taggings":{}}',
        b'{"taggings":[],"taggings":[]}',
        b'{"taggings":[],"x":1}',
        b'{"taggings":[]} x',
        b'{"tags":[]}',
        b"\xff",
    ],
)
def test_a_json_body_of_another_form_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        list(read_parts(iter([body]), "json"))


def test_a_list_of_records_is_read_as_programs_for_tables_write_it() -> None:
    body = b'[{"user":"u1","visitor":null,"tag":"a\\/b"},\n {"user":1001,"tag":"c"},{"user":1001.0,"tags":["d"]}]\n'

    assert read(body, "json").lines == [
        Line(1, b"uu1", ("a/b",)),
        Line(2, b"u1001", ("c",)),
        Line(3, b"u1001", ("d",)),
    ]


def test_an_empty_list_is_a_body_without_lines() -> None:
    assert read(b'\xef\xbb\xbf { "taggings" : [ ] } \n', "json") == Said([], [], [])


def test_a_json_body_over_its_bound_is_refused_before_it_is_held() -> None:
    given_chunks = []

    def endless() -> Iterator[bytes]:
        while True:
            given_chunks.append(1)
            yield b" " * 1_048_576

    with pytest.raises(BodyTooLarge):
        list(read_parts(endless(), "json"))
    assert len(given_chunks) <= 1 + files_limits.JSON_BODY_BYTES_MAX // 1_048_576


def test_chunks_may_be_empty() -> None:
    assert said_by(read_parts(chunked(GOOD, [0, 0, 3, 0]), "ndjson")).lines == [Line(1, b"ubefore", ("a",))]
