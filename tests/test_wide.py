"""A wide table becomes taggings; the real customer file is the golden case."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tagloom import problems, wide

TELCO = Path(__file__).resolve().parent.parent / "examples" / "telco"
CUSTOMERS = TELCO / "telco-customer-churn.csv"
MAPPING = TELCO / "mapping.toml"

SMALL_MAPPING = """
user = "id"
ignore = ["note"]

[columns.plan]
values = { "Free" = "", "Gold" = "plan/gold" }

[columns.age]
from = 0
bands = [{ to = 17.5, tag = "age/young" }, { to = 99, tag = "age/grown-up" }]
"""

Convert = Callable[[str], list[tuple[str, tuple[str, ...]]]]


@pytest.fixture
def mapping_of(tmp_path: Path) -> Callable[[str], wide.Mapping]:
    def read(text: str) -> wide.Mapping:
        path = tmp_path / "mapping.toml"
        path.write_text(text, encoding="utf-8")
        return wide.read_mapping(path)

    return read


@pytest.fixture
def convert(tmp_path: Path, mapping_of: Callable[[str], wide.Mapping]) -> Convert:
    """What the small mapping makes of a file's text."""

    def run(text: str) -> list[tuple[str, tuple[str, ...]]]:
        path = tmp_path / "people.csv"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return list(wide.taggings(path, mapping_of(SMALL_MAPPING)))

    return run


def real_rows() -> Iterator[dict[str, str]]:
    """The customer file by the csv module alone, without the one row that lacks a cell."""
    with CUSTOMERS.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
        return iter([dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)])


def band(name: str, number: float, *bounds: tuple[float, str]) -> str:
    return name + next(tag for bound, tag in bounds if number <= bound)


def golden_tags(row: dict[str, str]) -> set[str]:
    """The same conversion written a second time, by hand."""
    top = float("inf")
    found = {
        "contract/" + row["Contract"].lower().replace(" ", "-"),
        "payment/" + row["PaymentMethod"].removesuffix(" (automatic)").lower().replace(" ", "-"),
        band(
            "tenure/",
            int(row["tenure"]),
            (12, "0-12-months"),
            (24, "13-24-months"),
            (36, "25-36-months"),
            (48, "37-48-months"),
            (60, "49-60-months"),
            (top, "over-60-months"),
        ),
        band(
            "charges/monthly/",
            float(row["MonthlyCharges"]),
            (30, "up-to-30"),
            (60, "over-30-to-60"),
            (90, "over-60-to-90"),
            (top, "over-90"),
        ),
    }
    if row["InternetService"] != "No":
        found.add("internet/" + row["InternetService"].lower().replace(" ", "-"))
    if row["TotalCharges"] != " ":
        found.add(
            band(
                "charges/total/",
                float(row["TotalCharges"]),
                (500, "up-to-500"),
                (2000, "over-500-to-2000"),
                (5000, "over-2000-to-5000"),
                (top, "over-5000"),
            )
        )
    yes_means = {
        "SeniorCitizen": "senior",
        "Partner": "household/partner",
        "Dependents": "household/dependents",
        "PhoneService": "services/phone",
        "MultipleLines": "services/phone/multiple-lines",
        "OnlineSecurity": "services/security",
        "OnlineBackup": "services/backup",
        "DeviceProtection": "services/device-protection",
        "TechSupport": "services/support",
        "StreamingTV": "services/streaming/tv",
        "StreamingMovies": "services/streaming/movies",
        "PaperlessBilling": "billing/paperless",
        "Churn": "churn/left",
    }
    return found | {tag for column, tag in yes_means.items() if row[column] in ("Yes", "1")}


def converted_customers() -> tuple[dict[str, tuple[str, ...]], list[problems.LineInvalid]]:
    rejected: list[problems.LineInvalid] = []
    mapping = wide.read_mapping(MAPPING)
    return dict(wide.taggings(CUSTOMERS, mapping, reject=rejected.append)), rejected


def test_every_customer_gets_the_tags_that_the_csv_module_finds() -> None:
    tagged, _ = converted_customers()

    assert {user: set(tags) for user, tags in tagged.items()} == {
        row["customerID"]: golden_tags(row) for row in real_rows()
    }
    assert all(len(tags) == len(set(tags)) for tags in tagged.values())


def test_the_customer_file_gives_these_counts() -> None:
    tagged, _ = converted_customers()
    counts = Counter(tag for tags in tagged.values() for tag in tags)

    assert len(tagged) == 7042
    assert {
        tag: counts[tag]
        for tag in ("contract/month-to-month", "internet/fiber-optic", "internet/dsl", "churn/left", "senior")
    } == {
        "contract/month-to-month": 3874,
        "internet/fiber-optic": 3096,
        "internet/dsl": 2420,
        "churn/left": 1869,
        "senior": 1142,
    }
    # All but the eleven customers who have not been charged yet.
    assert sum(count for tag, count in counts.items() if tag.startswith("charges/total/")) == 7042 - 11


def test_the_one_row_that_lacks_a_cell_is_rejected_alone_and_named() -> None:
    _, rejected = converted_customers()

    assert [problem.members for problem in rejected] == [
        {"line": 2, "value": "7590-VHVEG", "rule": "one cell a column", "user": "7590-VHVEG"}
    ]
    assert rejected[0].detail == "Line 2 has 20 cells, and the header names 21 columns."


def test_without_somewhere_to_put_it_a_bad_row_ends_the_conversion() -> None:
    with pytest.raises(problems.LineInvalid, match="Line 2 has 20 cells"):
        list(wide.taggings(CUSTOMERS, wide.read_mapping(MAPPING)))


def test_a_band_holds_its_upper_bound_and_not_the_next_number(convert: Convert) -> None:
    rows = "id,plan,age,note\na,Free,0,\nb,Free,17.50,\nc,Free,17.51,\nd,Free,99,\n"

    assert convert(rows) == [
        ("a", ("age/young",)),
        ("b", ("age/young",)),
        ("c", ("age/grown-up",)),
        ("d", ("age/grown-up",)),
    ]


def test_bom_crlf_quotes_column_order_and_empty_lines_change_nothing(convert: Convert) -> None:
    expected = [("a,1", ("plan/gold", "age/young"))]

    assert convert('id,plan,age,note\n"a,1",Gold,4,\n') == expected
    assert convert('\ufeffnote,age,plan,id\r\n\r\n"x\r\ny",4,Gold,"a,1"\r\n') == expected


@pytest.mark.parametrize(
    ("row", "column", "value", "says"),
    [
        ("a,Silver,4,", "plan", "Silver", "has no entry in the mapping"),
        ("a,gold,4,", "plan", "gold", "has no entry in the mapping"),
        ("a,,4,", "plan", "", "has no entry in the mapping"),
        ("a,Gold,,", "age", "", "is blank, and the mapping has no 'blank'"),
        ("a,Gold, ,", "age", " ", "is blank, and the mapping has no 'blank'"),
        ("a,Gold,four,", "age", "four", "is no number"),
        ("a,Gold,nan,", "age", "nan", "is no number"),
        ("a,Gold,1_0,", "age", "1_0", "is no number"),
        ("a,Gold,-1,", "age", "-1", "lies in no band"),
        ("a,Gold,99.01,", "age", "99.01", "lies in no band"),
    ],
)
def test_a_value_without_an_entry_is_named_with_its_line_and_column(
    convert: Convert, row: str, column: str, value: str, says: str
) -> None:
    with pytest.raises(problems.LineInvalid) as caught:
        convert(f"id,plan,age,note\nok,Free,1,\n{row}\n")

    assert caught.value.detail == f"Line 3, column '{column}': '{value}' {says}."
    assert caught.value.members["line"] == 3
    assert caught.value.members["column"] == column
    assert caught.value.members["value"] == value


@pytest.mark.parametrize("row", ["a,Gold,4", "a,Gold,4,,"])
def test_a_missing_or_surplus_cell_is_refused(convert: Convert, row: str) -> None:
    with pytest.raises(problems.LineInvalid, match=r"Line 2 has \d cells, and the header names 4 columns\."):
        convert(f"id,plan,age,note\n{row}\n")


def test_a_row_without_a_user_id_is_refused(convert: Convert) -> None:
    with pytest.raises(problems.LineInvalid, match=r"Line 2 has no user id\."):
        convert("id,plan,age,note\n,Gold,4,\n")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("id,plan,note", "The mapping names the column 'age', which people.csv does not have."),
        ("id,plan,age,note,city", "a column 'city' that the mapping does not name. Map or ignore it."),
        ("id,plan,age,note,plan", "people.csv has two columns 'plan'."),
        ("", "The mapping names the column 'age', which people.csv does not have."),
    ],
)
def test_header_and_mapping_must_name_the_same_columns(convert: Convert, header: str, says: str) -> None:
    with pytest.raises(problems.ColumnsInvalid) as caught:
        convert(f"{header}\n")

    assert says in caught.value.detail


@pytest.mark.parametrize("rows", ['a,"Go"ld,4,\n', 'a,"Gold,4,\n', "a,\udcff,4,\n", "a\n" * 3 + "\udcff"])
def test_broken_quotes_and_bytes_that_are_not_utf8_are_refused(convert: Convert, rows: str) -> None:
    with pytest.raises(problems.BodyInvalid, match=r"people\.csv cannot be read after line") as caught:
        convert(f"id,plan,age,note\n{rows}")

    assert caught.value.members["rule"] == "CSV in UTF-8"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("user = ", "is no TOML file"),
        ("[columns]", "missing required field `user`"),
        ('user = "id"\nusers = 1\n[columns]', "unknown field `users`"),
        ('user = "id"\n[columns.a]\nvalues = { x = 1 }', "Expected `str`, got `int`"),
        ('user = "id"\n[columns.a]', "column 'a' needs either values or bands"),
        ('user = "id"\n[columns.a]\nvalues = {}\nbands = []', "needs either values or bands"),
        ('user = "id"\n[columns.a]\nvalues = {}\nblank = ""', "'from' and 'blank' say nothing"),
        ('user = "id"\n[columns.a]\nbands = []', "needs a band"),
        ('user = "id"\n[columns.a]\nbands = [{ tag = "x" }, { to = 1, tag = "y" }]', "in all but the last"),
        ('user = "id"\n[columns.a]\nbands = [{ to = 2, tag = "x" }, { to = 2, tag = "y" }]', "2 comes after 2"),
        ('user = "id"\n[columns.a]\nfrom = 3\nbands = [{ to = 2, tag = "x" }]', "2 comes after 3"),
        ('user = "id"\n[columns.a]\nbands = [{ to = nan, tag = "x" }]', "is no bound"),
        ('user = "id"\nignore = ["id"]\n[columns]', "column 'id' is named more than once"),
        ('user = "id"\n[columns.a]\nvalues = { x = "Plan/Gold" }', "has a capital at position 0"),
        ('user = "id"\n[columns.a]\nbands = [{ tag = "a/b/c/d" }]', "has 4 levels"),
        ('user = "id"\n[columns.a]\nvalues = { x = "cafe\u0301" }', "is not in NFC"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(
    mapping_of: Callable[[str], wide.Mapping], text: str, says: str
) -> None:
    with pytest.raises(problems.ParameterInvalid) as caught:
        mapping_of(text)

    assert says in caught.value.detail
    assert caught.value.detail.startswith("mapping.toml")
