"""Reads files of object stores, SFTP servers and folders. Each scheme has its class of fsspec."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.egress import limits
from tagloom.egress.credentials import AnyKey, AzureKey, GcsKey, S3Key, SftpKey, of_kind, shown_values
from tagloom.egress.policy import Guard
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remote_file import Opened, moment_of
from tagloom.words.source_addresses import Address, AddressRefused, ExtraMissing, Scheme

# The extra of Tagloom that each scheme needs.
EXTRAS: dict[Scheme, str] = {"s3": "s3", "gs": "gcs", "az": "azure", "abfs": "azure", "sftp": "sftp"}
_BLOCK_BYTES = 8 * 1_048_576
_AHEAD_BYTES = 64 * 32_768  # The number of requests that are under way at once, times the bytes of each SFTP answer.
_AZURE_SECRETS = ("account_key", "sas_token", "connection_string", "client_secret")


def filesystem_class(scheme: Scheme) -> type[Any]:
    """Returns the class of fsspec for a scheme. Raises: ExtraMissing."""
    try:
        # The library is imported here, because few commands fetch files.
        import fsspec

        found: type[Any] = fsspec.get_filesystem_class("abfs" if scheme == "az" else scheme)
    except ImportError as error:
        extra = EXTRAS[scheme]
        raise ExtraMissing(
            f"The server cannot fetch by {scheme}://, because the extra '{extra}' is not installed. "
            f"pip install 'tagloom[{extra}]'.",
            value=scheme,
            suggestion=f"tagloom[{extra}]",
        ) from error
    return found


def path_of(address: Address, home: Path | None, *, is_pattern: bool = False) -> str:
    """Returns the path of an address in its filesystem. A local path must be in the folder `home`.

    The targets of links decide. A pattern is checked up to its first wildcard; check its matches one by one.

    Raises: AddressRefused.
    """
    match address.scheme:
        case "file":
            path = fixed = Path(address.path)
            while is_pattern and any(each in str(fixed) for each in "*["):
                fixed = fixed.parent
            check_within(fixed, home)
            return str(path)
        case "sftp":
            return address.path
        case _:
            return f"{address.host}{address.path}"


def check_within(path: Path, home: Path | None) -> None:
    """Checks that a local path, with links resolved, is in the folder `home`. Raises: AddressRefused."""
    if home is None:
        raise AddressRefused("The server has no folder of files; see TAGLOOM_FILES_FOLDER.")
    if not path.resolve().is_relative_to(home.resolve()):
        raise AddressRefused("The file is outside the organization's folder on the server.")


def filesystem_of(address: Address, key: AnyKey | None, guard: Guard) -> Any:
    """Opens the filesystem of an address with the credentials of the key.

    Credentials of the server's environment are used only if the key has `ambient`.

    Raises: ExtraMissing, AddressRefused, SourceUnreadable.
    """
    kind, options = filesystem_class(address.scheme), {"skip_instance_cache": True, "use_listings_cache": False}
    with translated(address, key):
        match address.scheme:
            case "file":
                return kind(skip_instance_cache=True)
            case "s3":
                return kind(**options, **s3_options(of_kind(key, S3Key)))
            case "gs":
                return kind(**options, **gcs_options(of_kind(key, GcsKey)))
            case "az" | "abfs":
                wanted = azure_options(address, of_kind(key, AzureKey))
                return _only_ours(kind(**options, **wanted), wanted)
            case "sftp":
                # The module needs the extra. The extra is installed, because its class was found above.
                from tagloom.egress.sftp import sftp_filesystem

                return sftp_filesystem(kind, address, of_kind(key, SftpKey), guard)
            case _:
                raise AddressRefused(f"{address.scheme}:// has no filesystem to fetch from.", value=address.scheme)


def s3_options(key: S3Key) -> dict[str, Any]:
    """Returns the options of s3fs."""
    return {
        "anon": key.key is None and not key.ambient,
        "key": key.key,
        "secret": key.secret,
        "token": key.token,
        "endpoint_url": key.endpoint_url,
        "client_kwargs": {} if key.region is None else {"region_name": key.region},
        "config_kwargs": {
            "connect_timeout": limits.FETCH_CONNECT_SECONDS_MAX,
            "read_timeout": limits.FETCH_SILENCE_SECONDS_MAX,
        },
    }


def gcs_options(key: GcsKey) -> dict[str, Any]:
    """Returns the options of gcsfs."""
    token = key.service_account or ("google_default" if key.ambient else "anon")
    return {"token": token, **({} if key.endpoint_url is None else {"endpoint_url": key.endpoint_url})}


def azure_options(address: Address, key: AzureKey) -> dict[str, Any]:
    """Returns the options of adlfs. Raises: AddressRefused: neither the address nor the key names an account."""
    account = address.account or key.account_name
    if account is None and key.connection_string is None:
        raise AddressRefused(
            "The account of the container is missing. Write abfs://container@account.dfs.core.windows.net/…, or set "
            "account_name in the secret.",
            value=address.shown,
        )
    names = (*_AZURE_SECRETS, "tenant_id", "client_id")
    opens = any(getattr(key, name) is not None for name in names)
    return {
        "account_name": account,
        **{name: getattr(key, name) for name in names},
        "anon": not opens and not key.ambient,
        "connection_timeout": limits.FETCH_CONNECT_SECONDS_MAX,
        "read_timeout": limits.FETCH_SILENCE_SECONDS_MAX,
    }


def _only_ours(filesystem: Any, wanted: dict[str, Any]) -> Any:
    """Returns a filesystem of adlfs. Raises: AddressRefused: adlfs used credentials of the server's environment."""
    for name in _AZURE_SECRETS:
        if wanted[name] is None and getattr(filesystem, name) is not None:
            raise AddressRefused(
                f"The server's environment has AZURE_STORAGE_{name.upper()}, which no address may use. "
                "The operator should move it into a secret."
            )
    return filesystem


@contextmanager
def open_object(address: Address, key: AnyKey | None, guard: Guard, home: Path | None) -> Iterator[Opened]:
    """Opens a file of a filesystem. The file can be read until the block ends.

    Raises: ExtraMissing, AddressRefused, SourceUnreadable. The chunks raise SourceUnreadable, too, for example if the
    file changed while it was read.
    """
    path, filesystem = path_of(address, home), filesystem_of(address, key, guard)
    try:
        with translated(address, key):
            before = _facts(filesystem, path)
            file = filesystem.open(path, "rb", block_size=_BLOCK_BYTES)
        try:
            yield Opened(*before, _chunks(filesystem, path, file, before, address, key))
        finally:
            file.close()
    finally:
        close_filesystem(filesystem)


def list_objects(address: Address, key: AnyKey | None, guard: Guard, home: Path | None) -> list[str]:
    """Returns the paths of the files that a pattern matches, in order, without `scheme://`.

    Raises: the errors of `open_object`.
    """
    path, filesystem = path_of(address, home, is_pattern=True), filesystem_of(address, key, guard)
    try:
        with translated(address, key):
            found = sorted(str(each) for each in filesystem.glob(path))
            if address.scheme == "file":
                for each in found:
                    check_within(Path(each), home)
            return [each for each in found if filesystem.isfile(each)]
    finally:
        close_filesystem(filesystem)


def close_filesystem(filesystem: Any) -> None:
    """Closes the connections of a filesystem, if it has any."""
    client: Any = getattr(filesystem, "client", None)
    if hasattr(client, "open_sftp"):
        client.close()


def _facts(filesystem: Any, path: str) -> tuple[str | None, str | None, int]:
    """Returns the current ETag, time and size of a file. Raises: FileNotFoundError, and the errors of the library."""
    filesystem.invalidate_cache()
    info = filesystem.info(path)
    if info.get("type") not in ("file", "link"):
        raise FileNotFoundError("it is no file")
    etag = next((str(info[name]) for name in ("ETag", "etag") if info.get(name)), None)
    moments = (moment_of(info.get(name)) for name in ("LastModified", "last_modified", "updated", "mtime"))
    return etag, next((each for each in moments if each), None), int(info["size"])


def _chunks(
    filesystem: Any,
    path: str,
    file: Any,
    before: tuple[str | None, str | None, int],
    address: Address,
    key: AnyKey | None,
) -> Iterator[bytes]:
    place = requested = 0
    with translated(address, key):
        while True:
            if place >= requested and hasattr(file, "prefetch"):
                # One request at a time would cost a round trip for every 32 KiB. Only a bounded part is prefetched, so
                # that few requests are left if the caller stops reading.
                requested = place + _AHEAD_BYTES
                file.prefetch(min(requested, before[2]))
            chunk = file.read(base_limits.UPLOAD_CHUNK_BYTES)
            if not chunk:
                break
            place += len(chunk)
            yield chunk
        after = _facts(filesystem, path)
    if after != before:
        raise SourceUnreadable(f"{address.shown} changed while it was read. Fetch it again.")


@contextmanager
def translated(address: Address, key: AnyKey | None) -> Iterator[None]:
    """Converts a library's errors to SourceUnreadable. Removes the key and the query of the address from the text."""
    try:
        yield
    except (Problem, GeneratorExit):
        raise
    except FileNotFoundError as error:
        raise SourceUnreadable(f"There is no file at {address.shown}.") from error
    except Exception as error:
        # Each library has its own errors. They cannot be imported here, because a library may not be installed.
        raise SourceUnreadable(f"{address.shown} cannot be read: {described(error, key)}") from None


def described(error: Exception, key: AnyKey | None) -> str:
    """Returns the kind and the first line of an error, without the key and without the queries of addresses."""
    said = (str(error).strip().splitlines() or [""])[0]
    for value in shown_values(key):
        said = said.replace(value, "…")
    said = re.sub(r"\?\S+", "?…", said)[: base_limits.VALUE_CHARACTERS_MAX]
    return f"{type(error).__name__}: {printable(said)}"
