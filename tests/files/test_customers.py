"""The real customers of the telecoms example, by their mapping: the golden case of wide files."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tagloom.files.mapped import read_mapped
from tagloom.words.mappings import parse_mapping_toml
from tagloom.words.receipts import Rejected

TELCO = Path(__file__).resolve().parents[2] / "examples" / "telco"
CUSTOMERS = TELCO / "telco-customer-churn.csv"
MAPPING = TELCO / "mapping.toml"


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


def converted_customers() -> tuple[dict[str, set[str]], list[Rejected]]:
    mapping = parse_mapping_toml(MAPPING.read_text(encoding="utf-8"), MAPPING.name)
    tagged: dict[str, set[str]] = {}
    rejected: list[Rejected] = []
    for part in read_mapped(CUSTOMERS, "csv", "none", mapping):
        users = [key[1:].decode() for key in part.key_list()]
        tagged.update((user, set[str]()) for user in users)
        for line, text in zip(part.tagging_line.tolist(), part.tagging_text.tolist(), strict=True):
            tagged[users[line]].add(part.texts[text])
        rejected.extend(part.rejected)
    return tagged, rejected


def test_every_customer_gets_the_tags_that_the_csv_module_finds() -> None:
    tagged, _ = converted_customers()

    assert tagged == {row["customerID"]: golden_tags(row) for row in real_rows()}


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


def test_the_one_row_that_lacks_a_cell_is_rejected_alone() -> None:
    _, rejected = converted_customers()

    assert [(each.line, each.detail) for each in rejected] == [
        (2, "Line 2 has 20 cells, but the header has 21 columns.")
    ]
    assert rejected[0].value.startswith("7590-VHVEG,")
