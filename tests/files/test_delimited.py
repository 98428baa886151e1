"""CSV: the fast reader agrees with a slow one on every text, and bad input gets exactly what is promised."""

import csv
import io
from typing import Literal, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tagloom.base import limits as base_limits
from tagloom.base.problems import ContentTypeUnsupported
from tagloom.files import Line, read_parts
from tagloom.files.problems import ColumnsInvalid
from tagloom.words import limits as words_limits
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tests.files.reading import Said, read, rejections, small_limits

HEADER = b"user,tag\n"


# The slow twin: one byte after another.


class Slow(NamedTuple):
    """One record as the twin reads it: its cells, where the next begins, and the problem, if it is broken."""

    cells: list[bytes]
    end: int
    problem: str = ""


def slow_record(data: bytes, begin: int, *, delimiter: bytes, quote: bytes) -> Slow:
    """A record by the rules as they are written in `tagloom.files.delimited_records`, without any thought of speed."""
    newline = data.find(b"\n", begin)
    next_line = len(data) if newline < 0 else newline + 1
    bound = begin + words_limits.LINE_BYTES_MAX + 2
    cells: list[bytes] = []
    at = begin
    while True:
        cell = b""
        is_quoted = data[at : at + 1] == quote and at < bound
        if is_quoted:
            at += 1
            while True:
                if at >= len(data) or at >= bound:
                    first_line = data[begin:next_line].removesuffix(b"\n")
                    is_long = len(first_line) > words_limits.LINE_BYTES_MAX + 1
                    return Slow(cells, next_line, "line-too-long" if is_long else "line-invalid")
                if data[at : at + 2] == quote * 2 and at + 1 < bound:
                    cell += quote
                    at += 2
                elif data[at : at + 1] == quote:
                    at += 1
                    break
                else:
                    cell += data[at : at + 1]
                    at += 1
        else:
            while at < len(data) and data[at : at + 1] not in (delimiter, b"\n"):
                cell += data[at : at + 1]
                at += 1
        if at >= bound:
            return Slow(cells, next_line, "line-too-long")
        if data[at : at + 1] == delimiter:
            cells.append(cell)
            at += 1
            continue
        end = at
        if is_quoted:
            if data[at : at + 1] == b"\r":
                at += 1
                if at >= bound:
                    return Slow(cells, next_line, "line-too-long")
            if data[at : at + 1] not in (b"\n", b""):
                return Slow(cells, next_line, "line-invalid")
        elif cell.endswith(b"\r"):
            cell, end = cell[:-1], end - 1
        cells.append(cell)
        if end - begin > words_limits.LINE_BYTES_MAX:
            return Slow(cells[:-1], next_line, "line-too-long")
        return Slow(cells, min(at + 1, len(data)))


def slow_key(kind: str, id: bytes) -> bytes:
    """Raises: PersonIdInvalid, UnicodeDecodeError."""
    return kind[0].encode() + parse_id(id.decode()).encode()


def slow_csv(
    body: bytes, *, delimiter: bytes = b",", quote: bytes = b'"', columns: tuple[str, ...] = ("user", "tag")
) -> Said:
    """All records of a body without its header, which is line 1."""
    said = Said([], [], [])
    at, number = 0, 2
    while at < len(body):
        record = slow_record(body, at, delimiter=delimiter, quote=quote)
        raw = body[at : record.end]
        begin, at = at, record.end
        line, number = number, number + body.count(b"\n", begin, at)
        if raw in (b"\n", b"\r\n", b"\r"):
            continue
        named = [
            (kind, record.cells[place])
            for place, kind in enumerate(columns)
            if kind in ("user", "visitor") and place < len(record.cells) and record.cells[place]
        ]
        problem = record.problem
        if not problem:
            try:
                raw.decode()
            except UnicodeDecodeError:
                problem = "line-invalid"
        if not problem and (len(record.cells) != len(columns) or len(named) > 1):
            problem = "line-invalid"
        keys = []
        for kind, id in named:
            try:
                keys.append(slow_key(kind, id))
            except (PersonIdInvalid, UnicodeDecodeError):
                continue
        if not problem and not keys:
            problem = "person-id-invalid"
        if not problem and not record.cells[columns.index("tag")]:
            problem = "tag-is-empty"
        if problem:
            said.rejected.append((line, problem))
            said.held.extend(keys)
        else:
            said.lines.append(Line(line, keys[0], (record.cells[columns.index("tag")].decode(),)))
    return Said(said.lines, said.rejected, sorted(said.held))


chunk_sizes = st.lists(st.integers(0, 40), max_size=12)
PIECES = (
    *(
        b"u1",
        b"a/b",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b'"',
        b'"',
        b'""',
        b"x,y\n",
        b'"x","y"\n',
        b'"x\ny",z\n',
    ),
    *(
        "é".encode(),
        "日本".encode(),
        "\u2028".encode(),
        "\x85".encode(),
        b"\x00",
        b"\x1f",
        b"\x7f",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(b" ", b"'", b"\t", b";", b"0123456789abcdef"),
)
soups = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@given(soups, chunk_sizes)
@example(b'a,b\n"c,d\ne,f\n"g","h"\n', [])
@example(b'a,"b"\r', [])
@example(b'u1,"\r\n', [])
def test_any_text_is_read_as_the_slow_reader_reads_it(body: bytes, chunks: list[int]) -> None:
    assert read(HEADER + body, "csv", chunks=chunks) == slow_csv(body)


@given(soups, chunk_sizes)
def test_any_text_is_read_alike_however_small_the_parts_and_short_the_lines(body: bytes, chunks: list[int]) -> None:
    with small_limits():
        assert read(HEADER + body, "csv", chunks=chunks) == slow_csv(body)


@given(soups, chunk_sizes)
def test_a_visitor_column_beside_the_users_is_read_as_the_slow_reader_reads_it(body: bytes, chunks: list[int]) -> None:
    columns = ("visitor", "tag", "extra", "user")
    with small_limits(line_bytes=60, part_bytes=200):
        found = read(b"visitor,tag,extra,user\n" + body, "csv", chunks=chunks)
        assert found == slow_csv(body, columns=columns)


cells = st.text(st.sampled_from("ab1/é日 ,;|\t\"'\n"), min_size=1, max_size=6)


@given(
    st.lists(st.tuples(cells.filter(lambda id: not set(id) & set("\n\t")), cells, cells), max_size=30),
    st.sampled_from(",;|\t"),
    st.sampled_from("\"'"),
    st.sampled_from(["\n", "\r\n"]),
    chunk_sizes,
)
def test_what_the_csv_module_writes_is_read_as_it_reads_it(
    rows: list[tuple[str, str, str]], delimiter: str, quote: str, line_end: str, chunks: list[int]
) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(
        file, delimiter=delimiter, quotechar=quote, lineterminator=line_end, quoting=csv.QUOTE_ALL, doublequote=True
    )
    writer.writerows([("extra", "tag", "user"), *((extra, tag, user) for user, tag, extra in rows)])
    text = file.getvalue()

    found = read(text.encode(), "csv", chunks=chunks)

    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    assert next(reader) == ["extra", "tag", "user"]
    assert [(line.key, line.add) for line in found.lines] == [(b"u" + row[2].encode(), (row[1],)) for row in reader]
    assert found.rejected == []


# What bad input gets.


def one_rejected(body: bytes) -> tuple[int, str, str, str]:
    """The only bad line; the line before it and the one after it are good."""
    found = read(HEADER + b"before,a\n" + body + b"after,b\n", "csv")
    assert [found.lines[0].key, found.lines[-1].key] == [b"ubefore", b"uafter"]
    (rejected,) = rejections(HEADER + b"before,a\n" + body + b"after,b\n", "csv")
    return rejected.line, rejected.problem, rejected.value, rejected.detail


def test_a_row_with_a_missing_cell_is_rejected_alone() -> None:
    assert one_rejected(b"u1\n") == (3, "line-invalid", "u1", "Line 3 has 1 cell, but the header has 2 columns.")


def test_a_row_with_a_surplus_cell_is_rejected_alone_and_its_person_held() -> None:
    assert one_rejected(b"u1,a,b\n")[:3] == (3, "line-invalid", "u1,a,b")
    assert read(HEADER + b"u1,a,b\n", "csv").held == [b"uu1"]


def test_a_quote_that_is_never_closed_takes_its_own_line_only() -> None:
    assert one_rejected(b'u1,"a\n') == (
        3,
        "line-invalid",
        'u1,"a',
        "Line 3 has a quote that is never closed, in column 'tag'; write a quote within a quoted cell twice.",
    )
    assert read(HEADER + b'u1,"a\n', "csv").held == [b"uu1"]


def test_a_quote_that_a_later_one_seems_to_close_takes_its_own_line_only() -> None:
    found = read(HEADER + b'u1,"a\n"u2","b"\n"u3","c"\n', "csv")

    assert found.rejected == [(2, "line-invalid")]
    assert [line.key for line in found.lines] == [b"uu2", b"uu3"]


def test_text_behind_a_closing_quote_rejects_the_line() -> None:
    assert one_rejected(b'u1,"a"b\n')[:2] == (3, "line-invalid")


def test_an_empty_id_rejects_the_line() -> None:
    assert one_rejected(b",a\n")[:3] == (3, "person-id-invalid", "")
    assert one_rejected(b'"",a\n')[:3] == (3, "person-id-invalid", "")


def test_an_empty_tag_rejects_the_line_and_holds_its_person() -> None:
    assert one_rejected(b"u1,\n")[:3] == (3, "tag-is-empty", "")
    assert read(HEADER + b"u1,\n", "csv").held == [b"uu1"]


@pytest.mark.parametrize("control", ["\x00", "\x1f", "\t", "\x7f", "\x80", "\x9f", "\u2028", "\u2029"])
def test_a_control_character_in_an_id_rejects_the_line(control: str) -> None:
    assert one_rejected(f"u{control}1,a\n".encode())[:2] == (3, "person-id-invalid")


def test_a_newline_in_a_quoted_id_rejects_the_record_at_its_first_line() -> None:
    assert one_rejected(b'"u\n1",a\n')[:2] == (3, "person-id-invalid")
    assert [line.number for line in read(HEADER + b'"u\n1",a\nu2,b\n', "csv").lines] == [4]


def test_an_id_of_256_characters_is_taken_and_one_of_257_is_not() -> None:
    longest = "é" * 256

    assert [line.key for line in read(f"user,tag\n{longest},a\n".encode(), "csv").lines] == [b"u" + longest.encode()]
    assert one_rejected(f"{longest}é,a\n".encode())[:2] == (3, "person-id-invalid")


def test_bytes_that_are_not_utf8_reject_their_line_only() -> None:
    assert one_rejected(b"u1,\xff\n") == (
        3,
        "line-invalid",
        "u1,\ufffd",
        "Line 3 is not UTF-8 at byte 3, in column 'tag'; save the file as UTF-8, or name its encoding.",
    )
    assert one_rejected(b"u\xed\xa0\x80,a\n")[:2] == (3, "line-invalid")


def test_a_nul_or_a_control_in_a_tag_is_left_to_the_rules_of_tags() -> None:
    assert [line.add for line in read(HEADER + b"u1,a\x00b\n", "csv").lines] == [("a\x00b",)]


def test_a_line_too_long_is_rejected_alone_and_its_person_held() -> None:
    body = HEADER + b"before,a\nu1," + b"x" * words_limits.LINE_BYTES_MAX + b"\nafter,b\n"

    found = read(body, "csv")

    assert found.rejected == [(3, "line-too-long")]
    assert found.held == [b"uu1"]
    assert [line.number for line in found.lines] == [2, 4]


def test_a_line_of_ten_megabytes_is_never_held_whole() -> None:
    chunks = [HEADER + b"u1,a\nu2,", *[b"x" * 65_536] * 640, b"\nu3,c\n"]

    parts = list(read_parts(iter(chunks), "csv"))

    assert [line for part in parts for line in part.lines.tolist()] == [2, 4]
    assert [(each.line, each.problem) for part in parts for each in part.rejected] == [(3, "line-too-long")]
    assert all(len(each.value) <= base_limits.VALUE_CHARACTERS_MAX for part in parts for each in part.rejected)


def test_a_user_and_a_visitor_in_one_row_reject_it() -> None:
    found = read(b"user,visitor,tag\nu1,,a\n,v1,b\nu2,v2,c\n,,d\n", "csv")

    assert [line.key for line in found.lines] == [b"uu1", b"vv1"]
    assert found.rejected == [(4, "line-invalid"), (5, "person-id-invalid")]
    assert found.held == [b"uu2", b"vv2"]


def test_lines_count_as_an_editor_counts_them() -> None:
    body = b'user,tag,note\nu1,a,"one\ntwo\n"\n\r\n\nu2,b,\nu3\n'

    found = read(body, "csv")

    assert [line.number for line in found.lines] == [2, 7]
    assert found.rejected == [(8, "line-invalid")]


def test_a_byte_order_mark_crlf_and_a_missing_last_line_end_are_nothing_special() -> None:
    assert read(b"\xef\xbb\xbfuser,tag\r\nu1,a\r\nu2,b", "csv").lines == [
        Line(2, b"uu1", ("a",)),
        Line(3, b"uu2", ("b",)),
    ]


def test_cells_are_taken_as_they_are() -> None:
    assert read(HEADER + b' u1 , A"b" \n', "csv").lines == [Line(2, b"u u1 ", (' A"b" ',))]


def test_columns_are_found_by_name_in_any_order() -> None:
    parts = read_parts(
        iter([b"when;Segment;what;Customer\n1;a;2;u1\n"]), "csv", user_column="Customer", tag_column="Segment"
    )

    assert [(list(part.key_list()), list(part.texts)) for part in parts] == [([b"uu1"], ["a"])]


def test_single_quotes_are_quotes_when_the_header_has_them() -> None:
    assert read(b"'user','tag'\n'u,1','it''s'\n", "csv").lines == [Line(2, b"uu,1", ("it's",))]
    assert read(b"user,tag\n'u1',a\n", "csv").lines == [Line(2, b"u'u1'", ("a",))]


def test_missing_columns_are_named_with_those_found_and_the_nearest() -> None:
    with pytest.raises(ColumnsInvalid) as caught:
        list(read_parts(iter([b"User;Tags;when\nu1;a;1\n"]), "csv"))

    assert caught.value.members["found"] == ["User", "Tags", "when"]
    assert caught.value.members["nearest"] == ["User", "Tags"]
    assert "'User', 'Tags', 'when'" in caught.value.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbf",
        b"user",
        b"tag\na\n",
        b"user,tag,tag\n",
        b"\xff\xfeu\x00",
        b'"user,tag\n',
        b"x" * 5_000_000,
    ],
)
def test_a_body_without_the_columns_is_refused(body: bytes) -> None:
    with pytest.raises(ColumnsInvalid):
        list(read_parts(iter([body]), "csv"))


def test_a_header_alone_is_a_body_without_lines() -> None:
    assert read(b"user,tag", "csv") == Said([], [], [])


def test_nothing_but_bad_lines_makes_small_parts() -> None:
    parts = list(read_parts(iter([HEADER + b"x\n" * 100_000]), "csv"))

    assert sum(len(part.rejected) for part in parts) == 100_000
    assert max(len(part.rejected) for part in parts) <= 20_000


def test_mode_change_has_no_rows() -> None:
    with pytest.raises(ContentTypeUnsupported):
        read_parts(iter([HEADER]), "csv", allow_change=True)


def test_a_quote_that_swallows_rows_holds_the_people_in_them() -> None:
    parts = list(read_parts(iter([HEADER + b'u1,"a\nu2,b\nu3,"\nu4,d\n']), "csv"))

    (doubt,) = [doubt for part in parts for doubt in part.doubts]
    assert doubt.line == 2
    assert {b"uu1", b"uu2", b"uu3"} <= set(doubt.keys)
    assert b"uu4" not in doubt.keys


@pytest.mark.parametrize(("format", "start"), [("csv", b"tag,user\n"), ("ndjson", b"")])
def test_a_line_of_which_only_the_beginning_is_seen_may_name_somebody_behind_it(
    format: Literal["csv", "ndjson"], start: bytes
) -> None:
    parts = list(read_parts(iter([start + b'"known",' + b"x" * words_limits.LINE_BYTES_MAX + b",u1\n"]), format))

    doubts = [doubt.keys for part in parts for doubt in part.doubts]
    assert b"uknown" in doubts[0]
    assert doubts[1:] == [()]
