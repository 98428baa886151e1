"""`tagloom sources` and `tagloom events recent`: on a directory and through a server, with the same answers."""

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tagloom.ports.event_sources import RejectedIn
from tagloom.words.event_sources import RejectedMessage
from tests.cli.conftest import Twins
from tests.cli.running import Said, ask, run, write
from tests.http.serving import plain_client

# What each installation makes for itself.
ITS_OWN = {"write_key", "created_at", "received_at", "at"}
SETTINGS = (
    *("--name", "Web shop", "--origin", "https://shop.example", "--origin", "http://localhost:3000"),
    *("--event-type", "Order = Done=order/completed", "--ignore-property", "email"),
)


def both(pair: list[tuple[str, ...]], *arguments: object) -> list[Said]:
    """Runs a command both ways. Both must have the same exit code, and the same JSON if they print JSON."""
    found = [run(*arguments, *where) for where in pair]
    assert found[0].code == found[1].code, found
    if "--json" in arguments and found[0].code == 0:
        assert _shared(found[0].json) == _shared(found[1].json), found
    return found


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shared(each) for name, each in value.items() if name not in ITS_OWN}
    return [_shared(each) for each in value] if isinstance(value, list) else value


def test_each_command_says_the_same_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Any:
        return both(pair, "sources", *arguments, "--json")[0].json

    created = say("create", "web", *SETTINGS)
    assert (created["id"], created["name"], created["revision"]) == ("web", "Web shop", 1)
    assert created["origins"] == ["https://shop.example", "http://localhost:3000"]
    assert created["event_types"] == {"Order = Done": "order/completed"}
    assert created["ignored_properties"] == ["email"]
    assert created["write_key"].startswith("tw_")
    assert say("show", "web") == created
    assert say("create", "ios")["name"] == "ios"
    assert [each["id"] for each in say("list")] == ["ios", "web"]

    changed = say("change", "web", "--name", "Shop")
    assert changed == {**created, "name": "Shop", "revision": 2}
    changed = say("change", "web", "--origin", "", "--event-type", "", "--ignore-property", "phone")
    assert (changed["origins"], changed["event_types"], changed["ignored_properties"]) == ([], {}, ["phone"])
    replaced = say("write-key", "replace", "web")
    assert (replaced["revision"], replaced["write_key"] != created["write_key"]) == (4, True)
    for where in pair:
        assert ask("sources", "secret-key", "create", "web", *where)["secret_key"].startswith("ts_")
    assert say("show", "web")["has_secret_key"]
    for said in both(pair, "sources", "secret-key", "revoke", "web"):
        assert said.out == "Event source web has no secret key now.\n"
    assert not say("show", "web")["has_secret_key"]
    made = [ask("sources", "identity-secret", "create", "web", *where) for where in pair]
    assert [(each["hmac_secret"][:3], each["token_secret"][:3]) for each in made] == [("ti_", "tt_")] * 2
    for each, where in zip(made, pair, strict=True):
        assert [found["id"] for found in ask("sources", "show", "web", *where)["identity_secrets"]] == [each["id"]]
        said = run("sources", "identity-secret", "delete", "web", each["id"], *where)
        assert (said.code, said.out) == (0, f"The identity secret {each['id']} of web was deleted.\n")
    for said in both(pair, "sources", "identity-secret", "create", "web"):
        assert "hmac secret" in said.out
    assert "identity secrets" in run("sources", "show", "web", *pair[0]).out
    assert say("rejected", "web") == []
    for said in both(pair, "sources", "delete", "web"):
        assert said.out == "Event source web was deleted. Its events stay.\n"
    assert [each["id"] for each in say("list")] == ["ios"]


def test_a_public_key_is_read_from_a_file_and_removed(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()
    public = ECKey.generate_key("P-256").as_pem(private=False).decode()
    file, long = write(tmp_path / "key.pem", public), write(tmp_path / "long.pem", "x" * 10_000_000)

    created = both(pair, "sources", "create", "web", "--identity-public-key", file, "--json")[0].json
    assert created["identity_public_keys"] == [public.strip()]
    for said in both(pair, "sources", "change", "web", "--identity-public-key", long):
        assert (said.code, "not a public key in PEM" in said.err) == (1, True)
    assert both(pair, "sources", "change", "web", "--identity-public-key", tmp_path / "none")[0].code == 2
    changed = both(pair, "sources", "change", "web", "--identity-public-key", "", "--json")[0].json
    assert changed["identity_public_keys"] == []


def test_a_source_derives_attributes_until_it_is_told_not_to(twins: Twins) -> None:
    pair = twins.pair()

    assert both(pair, "sources", "create", "web", "--json")[0].json["derives_attributes"] is True
    assert "derived" in both(pair, "sources", "show", "web")[0].out
    changed = both(pair, "sources", "change", "web", "--no-derive-attributes", "--json")[0].json
    assert changed["derives_attributes"] is False
    renamed = both(pair, "sources", "change", "web", "--name", "Shop", "--json")[0].json
    assert (renamed["derives_attributes"], renamed["name"]) == (False, "Shop")
    assert "not derived" in both(pair, "sources", "show", "web")[0].out
    other = both(pair, "sources", "create", "ios", "--no-derive-attributes", "--json")[0].json
    assert other["derives_attributes"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "nope"), 1, "There is no event source 'nope'."),
        (("change", "nope", "--name", "Nope"), 1, "There is no event source 'nope'."),
        (("delete", "nope"), 1, "There is no event source 'nope'."),
        (("write-key", "replace", "nope"), 1, "There is no event source 'nope'."),
        (("secret-key", "create", "nope"), 1, "There is no event source 'nope'."),
        (("secret-key", "revoke", "nope"), 1, "There is no event source 'nope'."),
        (("identity-secret", "create", "nope"), 1, "There is no event source 'nope'."),
        (("identity-secret", "delete", "nope", "a"), 1, "There is no event source 'nope'."),
        (("rejected", "nope"), 1, "There is no event source 'nope'."),
        (("create", "web"), 1, "'web'"),
        (("create", "Web Shop"), 1, "'Web Shop'"),
        (("create", "ios", "--origin", "shop.example"), 1, "'shop.example' is not the origin of a page"),
        (("create", "ios", "--event-type", "A=identity/b"), 1, "which Tagloom reserves"),
        (("create", "ios", "--event-type", "A"), 2, "'A' is not NAME=TYPE."),
        (("change", "web"), 2, "Nothing was changed."),
        (("rejected", "web", "--limit", 0), 2, "--limit"),
    ],
)
def test_what_is_refused_is_told_in_one_sentence_both_ways(
    twins: Twins, arguments: tuple[object, ...], code: int, message: str
) -> None:
    pair = twins.pair()
    both(pair, "sources", "create", "web")

    for said in both(pair, "sources", *arguments):
        assert (said.code, said.out) == (code, ""), said
        assert message in said.err

    for where in pair:
        assert [(each["id"], each["revision"]) for each in ask("sources", "list", *where)] == [("web", 1)]


def test_a_new_source_is_told_with_its_key_and_what_to_do_next(twins: Twins) -> None:
    pair = twins.pair()

    local, remote = both(pair, "sources", "create", "web")

    key = ask("sources", "show", "web", *pair[0])["write_key"]
    first, second = local.out.splitlines()
    assert first == f"Event source web was created. Its write key is {key}"
    assert second == (
        "Next: configure a client library of Segment or RudderStack with this key and the address of your server. "
        "`tagloom events recent --source web` lists its events."
    )
    assert f"this key and the address {twins.url}. " in remote.out


def test_sources_are_shown_to_people(data: Path) -> None:
    run("sources", "create", "web", *SETTINGS, "--data", data)
    run("sources", "create", "ios", "--data", data)
    run("sources", "secret-key", "create", "ios", "--data", data)

    head, ios, web = run("sources", "list", "--data", data).out.splitlines()
    assert head.split() == ["source", "name", "write", "key", "secret", "key", "created"]
    assert (ios.split()[0], ios.split()[3], web.split()[:3]) == ("ios", "yes", ["web", "Web", "shop"])
    shown = [" ".join(line.split()) for line in run("sources", "show", "web", "--data", data).out.splitlines()]
    assert shown[4:8] == [
        "secret key no",
        "origins https://shop.example, http://localhost:3000",
        "event types Order = Done=order/completed",
        "ignored properties email",
    ]
    shown = [" ".join(line.split()) for line in run("sources", "show", "ios", "--data", data).out.splitlines()]
    assert shown[5:8] == ["origins all", "event types by the usual rule", "ignored properties none"]
    said = run("sources", "write-key", "replace", "web", "--data", data)
    assert said.out.startswith("The write key of web was replaced. The new one is tw_")
    said = run("sources", "secret-key", "create", "web", "--data", data)
    assert said.out.startswith("The secret key of web is ts_")
    assert run("sources", "change", "web", "--name", "Shop", "--data", data).out == (
        "Event source web was changed. It has revision 3 now.\n"
    )


def test_recent_events_are_those_of_all_people_or_of_one_source(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()
    file = write(
        tmp_path / "day.ndjson",
        '{"user":"u1","event":"ad/clicked","id":"m1","at":"2026-03-01T09:00:00Z","properties":{"ad":7}}\n'
        '{"visitor":"v1","event":"ad/seen","id":"m2","at":"2026-03-02T09:00:00Z"}\n',
    )
    both(pair, "events", "record", file)
    for where in pair:
        key = ask("sources", "create", "web", *where)["write_key"]
        with plain_client(twins.url) as app:
            for number in (3, 4):
                message = {"userId": "u3", "event": "Order Completed", "messageId": f"m{number}"}
                assert app.post("/v1/track", json=message, auth=(key, "")).status_code == 200

    every = both(pair, "events", "recent", "--json")[0].json
    assert [(each["id"], each["user"], each["visitor"]) for each in every] == [
        ("m4", "u3", None),
        ("m3", "u3", None),
        ("m2", None, "v1"),
        ("m1", "u1", None),
    ]
    assert every[3]["properties"] == {"ad": 7}
    assert both(pair, "events", "recent", "--limit", 3, "--json")[0].json == every[:3]
    assert both(pair, "events", "recent", "--source", "web", "--json")[0].json == every[:2]
    assert both(pair, "events", "recent", "--source", "web", "--limit", 1, "--json")[0].json == every[:1]
    for said in both(pair, "events", "recent", "--source", "nope"):
        assert (said.code, "There is no event source 'nope'." in said.err) == (1, True)
    for where in pair:
        shown = [" ".join(line.split()) for line in run("events", "recent", *where).out.splitlines()]
        assert shown[3:] == [
            "2026-03-02 09:00:00 visitor v1 ad/seen",
            "2026-03-01 09:00:00 user u1 ad/clicked ad: 7",
        ]


def test_more_recent_events_than_a_page_are_listed(twins: Twins) -> None:
    pair = twins.pair()
    body = "".join(f'{{"user":"u1","event":"a/b","id":"m{number}"}}\n' for number in range(1_100)).encode()

    for where in pair:
        run("events", "record", "-", *where, typed=body)
        found = ask("events", "recent", "--limit", 1_050, *where)
        assert [each["id"] for each in found] == [f"m{number}" for number in range(1_099, 49, -1)]


def test_rejected_messages_are_listed_with_their_reasons(twins: Twins) -> None:
    pair = twins.pair()
    both(pair, "sources", "create", "web")
    control = twins.installation.control
    for where in pair:
        rejected = [
            RejectedMessage(
                source="web",
                at="2026-03-01T09:00:00Z",
                reason="message-invalid",
                detail=f"Reason {number}.",
                message=f'{{"number":{number}}}',
            )
            for number in range(3)
        ]
        environment = control.get_environment(where[-1], "production").key
        control.add_rejected_messages([RejectedIn(environment, each) for each in rejected])

    for where in pair:
        found = ask("sources", "rejected", "web", *where)
        assert [each["detail"] for each in found] == ["Reason 2.", "Reason 1.", "Reason 0."]
        assert ask("sources", "rejected", "web", "--limit", 1, *where) == found[:1]
        shown = [" ".join(line.split()) for line in run("sources", "rejected", "web", *where).out.splitlines()]
        assert shown[0] == "at (UTC) problem reason message"
        assert shown[1] == '2026-03-01 09:00:00 message-invalid Reason 2. {"number":2}'
