"""Finds the address and the scheme of a caller behind proxies.

A proxy adds the address of its caller to `X-Forwarded-For`, on the right. Only entries of trusted proxies count, so the
caller is the first address from the right that is no trusted proxy.
"""

import ipaddress

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom.accounts.login_throttle import UNKNOWN
from tagloom.base.problems import Problem
from tagloom.base.text import printable

log = structlog.get_logger("tagloom.http")

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})


class PathPrefixUnsupported(Problem):
    """The console cannot be served below a path."""


class BehindProxies:
    """Puts the caller's address and scheme into the scope of each request.

    The address is `UNKNOWN` if it may be that of a proxy. Without trusted proxies, this applies to an address in a
    private network, and to a request with headers of a proxy.
    """

    def __init__(self, app: ASGIApp, trusted: tuple[IpNetwork, ...]) -> None:
        self._app = app
        self._trusted = trusted
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] == "http":
            prefix = _last(scope, b"x-forwarded-prefix").strip("/")
            if prefix:
                raise PathPrefixUnsupported(
                    f"The proxy serves the console below '/{printable(prefix)}'. Give Tagloom a host of its own, "
                    "such as tags.example.com.",
                    value=printable(prefix),
                )
            peer = scope["client"][0] if scope.get("client") else UNKNOWN
            address = self._caller(peer, scope)
            scope["client"] = (address, 0)
            if self._is_trusted(peer):
                scheme = _last(scope, b"x-forwarded-proto")
                if scheme in ("http", "https"):
                    scope["scheme"] = scheme
        await self._app(scope, receive, send)

    def _caller(self, peer: str, scope: Scope) -> str:
        if not self._is_trusted(peer):
            is_direct = bool(self._trusted) or _is_global(peer)
            has_come_through = any(name in FORWARDED for name, _ in scope["headers"])
            if has_come_through and not self._trusted and not self._has_warned:
                self._has_warned = True
                log.warning("proxies.not_trusted", address=peer, setting="TAGLOOM_TRUSTED_PROXIES")
            return peer if is_direct and (bool(self._trusted) or not has_come_through) else UNKNOWN
        hops = [
            each.strip()
            for name, value in scope["headers"]
            if name == b"x-forwarded-for"
            for each in value.decode("latin-1").split(",")
        ]
        for hop in reversed(hops):
            found = _address(hop)
            if found is None:
                return UNKNOWN
            if not self._is_trusted(found):
                return found
        # All addresses are those of trusted proxies, or there is none.
        return UNKNOWN

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._trusted)


def _address(hop: str) -> str | None:
    """Returns the address of a hop, which some proxies write with a port, or None if the hop has no address."""
    for text in (hop, hop.rpartition(":")[0], hop.strip("[]"), hop.rpartition("]:")[0].strip("[")):
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            continue
    return None


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _last(scope: Scope, name: bytes) -> str:
    """Returns the value of the nearest proxy, in lower case. Each proxy adds its value on the right."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[-1].decode("latin-1").rpartition(",")[2].strip().lower() if values else ""
