"""The port of a server: for this process alone, or shared with other processes of the same installation."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tagloom.base.problems import ParameterInvalid, Problem

BACKLOG = 1_024  # Connections that wait to be accepted.
FINGERPRINT_HEADER = "tagloom-installation"
_NEIGHBOUR_SECONDS = 5
_ANSWER_BYTES_MAX = 65_536


class AddressInUse(Problem):
    """The address is already in use."""

    status = 409


@contextmanager
def listening(host: str, port: int, *, share_port: bool = False) -> Iterator[socket.socket]:
    """Yields a socket that listens during the block. Clients that connect wait until a server accepts them.

    With `share_port`, other processes that set it too can listen at the same address.
    Raises: AddressInUse; ParameterInvalid: there is no such address on this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG, reuse_port=share_port)
    except socket.gaierror as error:
        raise ParameterInvalid(f"There is no address '{host}' to listen on.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"Another server listens on {host}:{port}. Stop that server, or choose another --port."
            ) from error
        raise
    listener.setblocking(False)
    with listener:
        yield listener


def check_free(host: str, port: int) -> None:
    """Checks that an address is free before anything else begins. Raises: AddressInUse, ParameterInvalid."""
    with listening(host, port):
        pass


def check_neighbour(host: str, port: int, fingerprint: str) -> None:
    """Checks that the server at an address, if there is one, serves the same installation.

    Raises: AddressInUse: it serves another one, is something else, or does not answer.
    """
    try:
        with socket.create_connection((host, port), timeout=_NEIGHBOUR_SECONDS) as neighbour:
            neighbour.sendall(f"GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
            answer = neighbour.recv(_ANSWER_BYTES_MAX).decode("latin-1").lower()
    except ConnectionRefusedError:
        return
    except OSError as error:
        raise AddressInUse(f"The server on the port {port} does not answer; it cannot be shared.") from error
    if f"{FINGERPRINT_HEADER}: {fingerprint}\r\n" not in answer:
        raise AddressInUse(
            f"The port {port} is in use by something else than this installation; only processes on one database "
            "share a port."
        )
