"""What no answer of the console may do: run what is not ours, show what is not escaped, keep what is too large."""

import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
import pytest

from tagloom.console import limits
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tests.bodies import Line, part
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.http.serving import plain_client
from tests.writing import Batch, write_parts

# What would break out of text, attributes, addresses, scripts and JSON.
HOSTILE = "<img src=x onerror=alert(1)>\"'`${7*7}{{7*7}}&amp;"
HOSTILE_TAG = "<b onmouseover=alert(1)>\"'`{{7*7}}"
PLACES = (
    "overview", "tribes", "tribes/new", "tribe/at-risk", "tribe/at-risk/pictures", "tribe/at-risk/delete",
    "tribe/at-risk/metrics", "metrics",
    "tribes/overlap?tribe=at-risk&tribe=families", f"tribe/at-risk/why?kind=user&person={CUSTOMER}",
    "tribe/at-risk/as-of?as_of=1", "tribe/at-risk/as-of?as_of=nonsense",
    f"person/as-of?user={CUSTOMER}&as_of=1", f"person/as-of?user={CUSTOMER}&as_of=nonsense",
    "tag/as-of?tag=churn&as_of=1", "tag/as-of?tag=churn&as_of=nonsense",
    "tags", "tags?view=tree", "tags?view=map", "tags/new", "tag?tag=services/streaming", "tag/move?tag=churn",
    "tag/merge?tag=churn", "tag/delete?tag=churn", "people", f"people?user={CUSTOMER}", f"person/erase?user={CUSTOMER}",
    "imports", "syncs", "syncs/new", "deliveries", "deliveries/new",
    "activity", "activity?shows=tribes", "activity/batch?version=1", "palette",
)  # fmt: skip
ADDRESSES = ("/sign-in", *(f"{PLACE}/{place}" for place in PLACES))


class Seen(HTMLParser):
    """What a page would load and run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id" and value]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_runs_nothing_but_the_consoles_own_script(admin: httpx.Client, address: str) -> None:
    answer = admin.get(address)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    for tag, attributes in Seen(answer.text).tags:
        assert not [name for name in attributes if name.startswith(("on", "hx-on"))], (tag, attributes)
        assert "style" not in attributes, (tag, attributes)
        assert tag not in ("style", "iframe", "object", "embed"), (tag, attributes)
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/assets/"), attributes
        for name in ("src", "href", "action"):
            value = attributes.get(name) or "/"
            assert not re.match(r"(?i)\s*(javascript|data|https?|//)", value), (tag, attributes)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_id_stands_once_on_a_page(admin: httpx.Client, address: str) -> None:
    ids = Seen(admin.get(address).text).ids

    assert sorted(ids) == sorted(set(ids))


def test_hostile_ids_tags_and_names_are_shown_as_they_are_and_do_nothing(served: Served, admin: httpx.Client) -> None:
    services = served.services
    environment = served.installation.control.get_environment("main", "production")
    population = served.installation.population(environment)
    person = Person("user", HOSTILE)
    receipt = write_parts(
        population,
        iter([part([Line(person, (HOSTILE_TAG,))])]),
        Batch(mode="add", origin=Origin("<i>actor</i>", HOSTILE)),
    )
    assert receipt.added == 1
    form = {
        "name": HOSTILE,
        "category": HOSTILE,
        "description": HOSTILE,
        "audience": "users",
        "do": "save",
        "revision": "0",
    }
    shape = '{"join":"all","of":[]}'
    saved = admin.post(f"{PLACE}/tribes/new", data=form | {"shape": shape})
    tribes = [each for each in services.tribes.list_tribes("main") if each.name == HOSTILE]
    assert tribes, saved.text
    by = {"tag": HOSTILE_TAG}
    places = [
        "tribes", f"tribe/{tribes[0].id}", f"tribe/{tribes[0].id}/pictures", f"tribe/{tribes[0].id}/delete",
        "tags", "tags?" + urlencode({"search": HOSTILE_TAG}), "tags?view=tree", "tags?view=map",
        *(f"{page}?" + urlencode(by) for page in ("tag", "tag/move", "tag/delete", "tag/people")),
        "people?" + urlencode({"search": HOSTILE[:9]}), "people?" + urlencode({"user": HOSTILE}),
        "people?" + urlencode({"tag": HOSTILE}), "person/erase?" + urlencode({"user": HOSTILE}),
        "suggest?" + urlencode({"tag": HOSTILE_TAG}), "palette?" + urlencode({"search": HOSTILE}), "activity",
        "activity?" + urlencode({"actor": HOSTILE, "source": HOSTILE}), f"activity/batch?version={receipt.version}",
        f"tribe/{tribes[0].id}/why?" + urlencode({"kind": "user", "person": HOSTILE}),
        "tribes/overlap?" + urlencode({"tribe": tribes[0].id}) + "&tribe=at-risk",
    ]  # fmt: skip
    for place in places:
        for part_of in ({}, {"HX-Batch": "true", "HX-Target": "panel"}):
            answer = admin.get(f"{PLACE}/{place}", headers=part_of)
            if "text/html" not in answer.headers["content-type"]:
                assert answer.headers["content-disposition"].startswith("attachment")
                continue
            text = answer.text
            found = [tag for tag, attributes in Seen(text).tags if {"onerror", "onmouseover"} & set(attributes)]
            assert not found, (place, found)
    shown = admin.get(f"{PLACE}/people?" + urlencode({"user": HOSTILE})).text
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "{{7*7}}" in shown


def test_forms_and_addresses_are_bounded(admin: httpx.Client) -> None:
    many = "&".join(["f"] * (limits.FORM_FIELDS_MAX + 10))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body, statuses in ((many, {422}), ("a=" + "x" * limits.FORM_BYTES_MAX, {413}), ("do=%ff&revision=0", {422})):
        answer = admin.post(f"{PLACE}/tribes/new", content=body, headers=headers)
        assert answer.status_code in statuses, answer.text

    assert admin.get(f"{PLACE}/tags?" + many).status_code == 422


@pytest.mark.parametrize(
    "address",
    [
        "/s/main/nowhere/tribes", "/s/none/production/tribes", f"{PLACE}/tribe/none", f"{PLACE}/tag?tag=none",
        f"{PLACE}/tag?tag=Not%20Lower", f"{PLACE}/tag", f"{PLACE}/import/{'0' * 24}", f"{PLACE}/import/..%2f..%2fetc",
        f"{PLACE}/sync/none", f"{PLACE}/sync/none/edit", f"{PLACE}/sync/..%2f..%2fetc",
        f"{PLACE}/activity/batch?version=9999999", f"{PLACE}/activity/batch?version=-1",
        f"{PLACE}/activity/batch?version=1e9", f"{PLACE}/activity?before=x", f"{PLACE}/people?user=%00",
        f"{PLACE}/people?match=nearly&search=a", f"{PLACE}/people?kind=robot", f"{PLACE}/tags?view=cloud",
        f"{PLACE}/tags?cursor=%ff%fe", f"{PLACE}/people?cursor=AAAA", f"{PLACE}/tribes/overlap?tribe=none",
        f"{PLACE}/tribe/at-risk/members?format=exe", f"{PLACE}/no-such-page", "/no-such-page",
    ],
)  # fmt: skip
def test_what_is_not_there_or_makes_no_sense_is_said_on_a_page(admin: httpx.Client, address: str) -> None:
    answer = admin.get(address, headers={"Accept": "text/html"})

    assert answer.status_code in (200, 400, 404, 422), answer.text
    assert "text/html" in answer.headers["content-type"]
    assert "Traceback" not in answer.text


def test_static_files_are_kept_for_ever_and_only_those_that_were_built(served: Served) -> None:
    with plain_client(served.url) as browser:
        page = browser.get("/sign-in").text
        style = re.search(r'href="(/assets/console-\w+\.css)"', page)
        assert style is not None
        found = browser.get(style[1])
        assert found.status_code == 200
        assert "immutable" in found.headers["cache-control"]
        for escape in ("/assets/../door.py", "/assets/%2e%2e/door.py", "/assets/..%2fdoor.py", "/assets/", "/assets"):
            assert browser.get(escape).status_code in (404, 405)


@pytest.mark.parametrize("address", ["/sign-in", f"{PLACE}/tags", "/nowhere"])
def test_a_method_that_an_address_does_not_take_is_a_problem_document(admin: httpx.Client, address: str) -> None:
    answer = admin.request("PATCH", address)

    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.json()["type"] == "/problems/method-not-allowed"
    assert answer.headers["allow"] == ", ".join(answer.json()["allowed"])


def test_the_id_of_a_visitor_is_found_among_users_too(admin: httpx.Client) -> None:
    address = f"{PLACE}/person/create"
    admin.post(address, data={"visitor": "v-unique-1"})

    page = admin.get(f"{PLACE}/people", params={"kind": "user", "search": "v-unique-1"}).text

    assert "There is a visitor with this id" in page
    assert "Make user" not in page
