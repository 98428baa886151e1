"""Parses the parameter `as_of`: the number of a version, or a time, which means the newest version at that time."""

from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.base.times import moment_of
from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.model import Version

_DIGITS_MAX = 18  # Versions are 64-bit numbers.


def version_as_of(population: Population, text: str | None) -> Version | None:
    """Returns the version that `text` names, which is a number or an RFC 3339 time. Returns None for None, the present.

    Raises: ParameterInvalid; ChangeNotFound: the number is greater than the newest version.
    """
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX:
        version, newest = int(text), population.version()
        if version > newest:
            raise ChangeNotFound(f"There is no version {version}; the newest is {newest}.", version=version)
        return version
    try:
        return population.version_at(moment_of(text, field="as_of"))
    except BodyInvalid as problem:
        raise ParameterInvalid(
            "as_of must be the number of a version, or a time such as 2026-03-01T09:00:00Z.", parameter="as_of"
        ) from problem
