"""Reads the secrets of organizations from the server's environment variables or from files."""

import re
from collections.abc import Mapping
from pathlib import Path

from tagloom.base.text import printable
from tagloom.egress.problems import SourceUnreadable

# Double hyphens are not allowed, so that two different names never have the same variable.
NAME = re.compile(r"(?=.{1,64}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_BYTES_MAX = 65_536


class Secrets:
    """The secrets of all organizations.

    An organization can read neither the secrets of another organization nor other environment variables.
    """

    def __init__(self, folder: Path | None, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables

    def read(self, organization: str, name: str) -> str:
        """Returns the secret with a name.

        The secret `crm` of the organization `main` is in the variable TAGLOOM_SECRET_MAIN__CRM, or else in the file
        main/crm.

        Raises: SourceUnreadable, which names the variable and the file but does not contain the secret.
        """
        if not NAME.fullmatch(name):
            raise SourceUnreadable(
                f"'{printable(name)}' is not a name of a secret.",
                value=printable(name),
                rule="lower-case letters, digits, hyphens",
            )
        variable = variable_of(organization, name)
        if variable in self._variables and NAME.fullmatch(organization):
            return self._variables[variable].strip()
        file = None if self._folder is None else self._folder / organization / name
        if file is not None and file.is_file():
            try:
                with file.open(encoding="utf-8") as opened:
                    return opened.read(_BYTES_MAX).strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SourceUnreadable(f"The file of the secret '{name}' cannot be read.") from error
        places = f"no variable {variable}" if file is None else f"neither a variable {variable} nor a file {file}"
        raise SourceUnreadable(f"The server has {places} for the secret '{name}'.", value=name)


def variable_of(organization: str, name: str) -> str:
    """Returns the name of the environment variable of a secret.

    >>> variable_of("main", "crm")
    'TAGLOOM_SECRET_MAIN__CRM'
    """
    return f"TAGLOOM_SECRET_{organization}__{name}".upper().replace("-", "_")
