"""An SFTP server of this machine, made of paramiko's own server."""

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paramiko


@dataclass
class SftpServer:
    """A running server: where it listens, its folder, its key as ssh-keyscan prints it, and who has come in."""

    port: int
    folder: Path
    host_key: str
    private_key: str
    logins: list[str] = field(default_factory=list)


class _Door(paramiko.ServerInterface):  # type: ignore[misc]  # It is not typed.
    def __init__(self, server: SftpServer, known: paramiko.PKey) -> None:
        self._server = server
        self._known = known

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        return self._let(username, (username, password) == ("ada", "sesame"))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._let(username, username == "ada" and key.asbytes() == self._known.asbytes())

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def _let(self, username: str, is_right: bool) -> int:
        if is_right:
            self._server.logins.append(username)
        return int(paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED)


class _Files(paramiko.SFTPServerInterface):  # type: ignore[misc]  # It is not typed.
    folder: Path

    def _path(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def list_folder(self, path: str) -> "list[paramiko.SFTPAttributes] | int":
        try:
            return [
                paramiko.SFTPAttributes.from_stat(each.stat(), each.name) for each in sorted(self._path(path).iterdir())
            ]
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno))

    def stat(self, path: str) -> "paramiko.SFTPAttributes | int":
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).stat())
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno))

    lstat = stat

    def open(self, path: str, flags: int, attr: object) -> "paramiko.SFTPHandle | int":
        is_written = bool(flags & os.O_WRONLY)
        try:
            file = self._path(path).open("wb" if is_written else "rb")
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno))
        handle = paramiko.SFTPHandle(os.O_WRONLY if is_written else os.O_RDONLY)
        if is_written:
            handle.writefile = file
        else:
            handle.readfile = file
        return handle

    def mkdir(self, path: str, attr: object) -> int:
        return self._done(self._path(path).mkdir)

    def remove(self, path: str) -> int:
        return self._done(self._path(path).unlink)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._done(lambda: self._path(oldpath).replace(self._path(newpath)))

    def _done(self, act: Callable[[], object]) -> int:
        try:
            act()
        except OSError as error:
            return int(paramiko.SFTPServer.convert_errno(error.errno))
        return int(paramiko.SFTP_OK)


@contextmanager
def sftp_server(folder: Path) -> Iterator[SftpServer]:
    """A server while the block lasts; `ada` comes in with the password `sesame` or with its private key."""
    folder.mkdir()
    host, client = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    text = io.StringIO()
    client.write_private_key(text)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    found = SftpServer(port, folder, f"[localhost]:{port} {host.get_name()} {host.get_base64()}", text.getvalue())
    files = type("Files", (_Files,), {"folder": folder})
    transports: list[paramiko.Transport] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transports.append(transport)
            transport.add_server_key(host)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
            try:
                transport.start_server(server=_Door(found, client))
            except (paramiko.SSHException, EOFError):
                # Who was not let in by its own check of the host has hung up.
                transport.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        for transport in transports:
            transport.close()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
