"""Helpers of the requests about people, tags and tribes: paths, downloads, expiry."""

from collections.abc import Mapping

import msgspec

from tagloom_client.asking import Ask, Place, check, query_of, segment
from tagloom_client.models import ExportFormat, Match, Person, UploadFormat

AsOf = int | str
"""A version or an RFC 3339 time for time travel, with today's rules and names."""


CONTENT_TYPES: Mapping[UploadFormat, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


class PersonLine(msgspec.Struct):
    """A line of an export of people or of taggings."""

    user: str | None = None
    visitor: str | None = None
    tags: tuple[str, ...] = ()

    def person(self) -> Person:
        """Returns the person that the line names."""
        return Person("user", self.user) if self.user is not None else Person("visitor", self.visitor or "")


LINE_DECODER = msgspec.json.Decoder(PersonLine)


def person_path(place: Place, user: str | None, visitor: str | None) -> str:
    """Returns the path of a user or of a visitor. Raises: ValueError: both are set, or neither."""
    if user is not None and visitor is None:
        return f"{place.address}/users/{segment(user)}"
    if visitor is not None and user is None:
        return f"{place.address}/visitors/{segment(visitor)}"
    raise ValueError("Pass either user= or visitor=.")


def empty_as_null(**values: str | None) -> dict[str, str | None]:
    """Returns the values that are not None, with empty texts as null."""
    return {name: value or None for name, value in values.items() if value is not None}


def download(
    place: Place,
    path: str,
    format: ExportFormat,
    at_least: int | None = None,
    match: Match | None = None,
    as_of: AsOf | None = None,
) -> Ask[None]:
    """Returns the request that downloads an export as bytes."""
    query = query_of(at_least=at_least, match=match, as_of=as_of)
    return Ask("GET", f"{place.address}/{path}", check, query=query, headers={"Accept": CONTENT_TYPES[format]})


def read_person(line: bytes) -> Person:
    """Returns the person that a line of an export names."""
    return LINE_DECODER.decode(line).person()
