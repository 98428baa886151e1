"""Files by HTTPS and HTTP, from real servers: what comes, what is refused, and where keys are sent."""

import socket
from http.server import BaseHTTPRequestHandler

import pytest

from tagloom.base.problems import BodyTooLarge, Problem
from tagloom.egress import limits as egress_limits
from tagloom.egress.problems import SourceUnreadable
from tagloom.ports import limits as ports_limits
from tagloom.words.source_addresses import AddressRefused, ExtraMissing, Remote
from tests.egress.conftest import Allowed, fetched
from tests.egress.places import Web

FILE = b"user,tag\nu1,crm/gold\n"
PUBLIC = "198.41.0.4"  # Of a root server of the DNS. The tests never call it.
MOMENT = "Wed, 21 Oct 2015 07:28:00 GMT"


def test_a_file_comes_with_what_tells_it_from_others(secure: Web, allowed: Allowed) -> None:
    url = secure.serve("/crm.csv", FILE, ETag='"one"', Last_Modified=MOMENT)

    with allowed().open("main", Remote(url=f"{url}?page=2")) as opened:
        assert (opened.etag, opened.modified_at, opened.size) == ('"one"', "2015-10-21T07:28:00Z", len(FILE))
        assert b"".join(opened.chunks) == FILE
    assert [(path, headers["Accept-Encoding"]) for path, headers in secure.asked] == [("/crm.csv?page=2", "identity")]
    assert secure.asked[0][1]["Host"] == f"localhost:{secure.port}"


def test_a_certificate_of_somebody_else_is_refused(secure: Web, allowed: Allowed) -> None:
    url = secure.serve("/crm.csv", FILE)

    with pytest.raises(SourceUnreadable, match="CERTIFICATE_VERIFY_FAILED"):
        fetched(allowed(tls=None), url)
    assert secure.asked == []


def test_a_host_of_the_own_network_is_refused_before_it_is_called(secure: Web, allowed: Allowed) -> None:
    url = secure.serve("/crm.csv", FILE)

    for host in ("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433"):
        with pytest.raises(AddressRefused, match="private network"):
            fetched(allowed(hosts=()), url.replace("localhost", host))
    assert secure.asked == []


def test_a_redirect_is_followed_and_each_step_is_checked(secure: Web, plain: Web, allowed: Allowed) -> None:
    there = plain.serve("/inner", b"secret of the network")
    for number in range(egress_limits.FETCH_REDIRECTS_MAX + 2):
        secure.lead(f"/turn{number}", f"turn{number + 1}")
    signed = secure.serve("/signed", FILE)
    # Where a redirect leads is stored nowhere, so it may be signed.
    assert fetched(allowed(), secure.lead("/a", f"{signed}?X-Amz-Signature=1#x")) == FILE

    with pytest.raises(AddressRefused, match="private network"):
        fetched(allowed(), secure.lead("/b", there))
    with pytest.raises(AddressRefused, match="http://"):
        fetched(allowed(schemes=("https",)), secure.lead("/c", there))
    with pytest.raises(AddressRefused, match="file://"):
        fetched(allowed(), secure.lead("/d", "file:///etc/passwd"))
    with pytest.raises(AddressRefused):
        fetched(allowed(), secure.lead("/e", "http://[fd00:ec2::254]/latest/meta-data"))
    with pytest.raises(SourceUnreadable, match="more than 5 times"):
        fetched(allowed(), secure.url + "/turn0")
    assert plain.asked == []


def test_what_a_name_resolved_to_is_what_is_called(
    secure: Web, allowed: Allowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = secure.serve("/crm.csv", FILE)
    real, asked = socket.getaddrinfo, list[str]()

    def turning(host: str, *args: object, **kwargs: object) -> object:
        # Who answers publicly first and privately afterwards would get behind a check that resolves by itself.
        if host != "turning.example.com":
            return real(host, *args, **kwargs)  # type: ignore[arg-type]
        asked.append(host)
        number = "127.0.0.1" if len(asked) > 1 else PUBLIC
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, secure.port))]

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    monkeypatch.setattr(egress_limits, "FETCH_CONNECT_SECONDS_MAX", 1)
    called = list[object]()
    connect = socket.create_connection
    monkeypatch.setattr(
        socket, "create_connection", lambda to, *args, **kwargs: (called.append(to), connect(("127.0.0.1", 1)))[1]
    )

    with pytest.raises(SourceUnreadable, match="does not answer"):
        fetched(allowed(hosts=()), url.replace("localhost", "turning.example.com"))

    assert asked == ["turning.example.com"]
    assert called == [(PUBLIC, secure.port)]
    assert secure.asked == []


def test_a_key_goes_only_where_it_is_for(secure: Web, plain: Web, allowed: Allowed) -> None:
    secrets = {
        "crm": {"for": f"{secure.url}/exports", "headers": {"Authorization": "Bearer sesame"}, "query": {"k": "open"}}
    }
    inside, outside = secure.serve("/exports/a.csv", FILE), secure.serve("/other/a.csv", FILE)
    secure.lead("/exports/away", outside)
    remotes = allowed(secrets=secrets, hosts=("localhost", "127.0.0.1"))

    assert fetched(remotes, f"{inside}?page=1", "crm") == FILE
    assert fetched(remotes, f"{secure.url}/exports/away", "crm") == FILE
    with pytest.raises(AddressRefused, match="is not for"):
        fetched(remotes, outside, "crm")
    with pytest.raises(AddressRefused, match="is not for"):
        fetched(remotes, plain.serve("/exports/a.csv", FILE), "crm")
    with pytest.raises(SourceUnreadable, match="TAGLOOM_SECRET_MAIN__OTHER"):
        fetched(remotes, inside, "other")

    told = [(path, headers.get("Authorization")) for path, headers in secure.asked]
    assert told == [
        ("/exports/a.csv?page=1&k=open", "Bearer sesame"),
        ("/exports/away?k=open", "Bearer sesame"),
        ("/other/a.csv", None),
    ]
    assert plain.asked == []


@pytest.mark.parametrize(
    "secret",
    ["postgresql://ada:sesame@db/crm", {"headers": {"A": "sesame"}}, {"for": "https://localhost", "x": "sesame"}],
)
def test_a_secret_that_is_none_for_an_address_is_never_shown(secure: Web, allowed: Allowed, secret: object) -> None:
    with pytest.raises(Problem) as caught:
        fetched(allowed(secrets={"crm": secret}), secure.url + "/a.csv", "crm")

    assert "sesame" not in str(caught.value.document())


@pytest.mark.parametrize("header", ["sesame\r\nX: y", "sesame\0"])
def test_a_header_that_is_none_is_not_repeated_in_the_problem(secure: Web, allowed: Allowed, header: str) -> None:
    url = secure.serve("/a.csv", FILE)
    remotes = allowed(secrets={"crm": {"for": url, "headers": {"Authorization": header}}})

    with pytest.raises(SourceUnreadable) as caught:
        fetched(remotes, url, "crm")

    assert "sesame" not in caught.value.detail


def test_letters_beyond_ascii_are_escaped_once(secure: Web, allowed: Allowed) -> None:
    secure.serve("/S%C3%BCd%20a.csv", FILE)
    assert fetched(allowed(), f"{secure.url}/Süd%20a.csv") == FILE
    there = secure.lead("/there", "/S\u00c3\u00bcd%20a.csv")
    assert fetched(allowed(), there) == FILE


def test_what_drips_for_ever_is_given_up(secure: Web, allowed: Allowed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_limits, "FETCH_SECONDS_MAX", -1)
    with pytest.raises(SourceUnreadable, match="took longer"):
        fetched(allowed(), secure.serve("/a.csv", FILE))


def test_what_goes_wrong_on_the_way_is_said_without_the_query(secure: Web, allowed: Allowed) -> None:
    remotes = allowed()

    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    secure.answers["/gone"] = hang_up
    cases = {
        secure.serve("/refused", b"", status=403): "answers 403",
        secure.serve("/short", FILE, announced=100): "breaks off",
        secure.url + "/gone": "breaks off",
        secure.url + "/missing": "answers 404",
        secure.url.replace(str(secure.port), "1") + "/x": "does not answer",
    }
    for url, says in cases.items():
        with pytest.raises(SourceUnreadable, match=says) as caught:
            fetched(remotes, f"{url}?page=sesame")
        assert "sesame" not in caught.value.detail
        assert url in caught.value.detail


def test_a_file_that_is_too_large_is_refused_before_it_comes(
    secure: Web, allowed: Allowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports_limits, "IMPORT_BYTES_MAX", 10)
    with pytest.raises(BodyTooLarge):
        fetched(allowed(), secure.serve("/a.csv", FILE))


def test_a_scheme_that_is_off_or_not_installed_says_what_to_do(
    allowed: Allowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AddressRefused, match="TAGLOOM_SOURCE_SCHEMES"):
        allowed(schemes=("https",)).check("main", Remote(url="s3://bucket/a.csv"))

    def missing(scheme: str) -> object:
        raise ImportError(f"Install {scheme}")

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    for scheme, extra in (("s3", "s3"), ("gs", "gcs"), ("az", "azure"), ("abfs", "azure"), ("sftp", "sftp")):
        with pytest.raises(ExtraMissing, match=rf"pip install 'tagloom\[{extra}\]'"):
            allowed().check("main", Remote(url=f"{scheme}://bucket/a.csv"))
