"""A form with a file is read as a stream, and nothing stays of a form that is wrong."""

import itertools
import subprocess
import sys
from contextlib import AbstractContextManager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base.problems import BodyInvalid, BodyTruncated
from tagloom.server.multipart import Form, kept_form, read_form

FIELDS = st.dictionaries(st.text("abcdef", min_size=1), st.text(max_size=30), max_size=5)


@given(fields=FIELDS, data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 1_500)), place=st.integers(0, 5))
def test_a_form_reads_the_same_however_it_is_cut(
    fields: dict[str, str], data: bytes, cuts: list[int], place: int
) -> None:
    parts = [(name, text.encode(), "") for name, text in fields.items()]
    parts.insert(place, ("file", data, '; filename="a.csv"'))
    boundary = b"xXxXx"
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (boundary, name.encode(), file.encode(), value)
        for name, value, file in parts
    )
    body += b"--%s--\r\n" % boundary
    places = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})

    form = read_form((body[a:b] for a, b in itertools.pairwise(places)), boundary, b"".join)

    assert (form.fields, form.file, form.name) == (fields, data, "a.csv")
    for end in (len(body) // 2, len(body) - 9):
        with pytest.raises(BodyTruncated):
            read_form(iter([body[:end]]), boundary, b"".join)


@pytest.mark.parametrize(
    "header", [b"X: " + b"y" * 100_000, b"\r\n".join(b"X-%d: %s" % (n, b"y" * 90) for n in range(900))]
)
def test_the_headers_of_a_part_are_bounded(header: bytes) -> None:
    body = b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n%s\r\n\r\ndata\r\n--end--\r\n'
    with pytest.raises(BodyInvalid, match=r"headers of a part|no form"):
        read_form(iter([body % header]), b"end", b"".join)


WHOLE = b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\ndata\r\n--end--\r\n'
SECOND = WHOLE.replace(b"--end--\r\n", b"") + WHOLE


@pytest.mark.parametrize(("body", "problem"), [(SECOND[: len(WHOLE) + 20], BodyTruncated), (SECOND, BodyInvalid)])
def test_the_file_of_a_form_that_is_wrong_after_its_file_is_discarded(body: bytes, problem: type[BodyInvalid]) -> None:
    discarded = list[bytes]()

    with pytest.raises(problem), kept(body, discarded):
        raise AssertionError("the form is wrong")

    assert discarded == [b"data"]


def test_the_file_of_a_form_is_discarded_when_its_use_fails_and_kept_otherwise() -> None:
    discarded = list[bytes]()

    with pytest.raises(LookupError), kept(WHOLE, discarded):
        raise LookupError
    assert discarded == [b"data"]
    with kept(WHOLE, discarded) as form:
        assert form.file == b"data"
    assert discarded == [b"data"]


def test_a_form_without_a_file_is_refused_in_the_words_of_its_reader() -> None:
    body = b'--end\r\nContent-Disposition: form-data; name="file"\r\n\r\ndata\r\n--end--\r\n'
    with pytest.raises(BodyInvalid, match="Choose a file"), kept(body, []):
        raise AssertionError("the form has no file")


def kept(body: bytes, discarded: list[bytes]) -> AbstractContextManager[Form[bytes]]:
    """Reads a form, keeps its file in memory, and notes what is discarded."""
    return kept_form(iter([body]), b"end", keep=b"".join, discard=discarded.append, no_file="Choose a file.")


@pytest.mark.parametrize(
    ("body", "boundary"),
    [(b"preamble\r\n" + WHOLE, b"end"), (WHOLE.replace(b"\r\n", b"\n"), b"end"), (WHOLE, b"other")],
    ids=["preamble", "LF", "boundary"],
)
def test_a_form_with_faults_writes_no_line_to_the_log(body: bytes, boundary: bytes) -> None:
    code = (
        "from tagloom.base.problems import Problem\n"
        "from tagloom.server.multipart import read_form\n"
        f"try: read_form(iter([{body!r}]), {boundary!r}, b''.join)\n"
        "except Problem: pass\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)

    assert done.stderr == b""
