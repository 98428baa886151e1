"""Query parameters: declared once, parsed strictly, and described in OpenAPI."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.http import limits
from tagloom.words import limits as words_limits
from tagloom.words.expiry import SPAN_PATTERN

Value = str | int | bool
INTEGER = re.compile(r"[0-9]{1,18}")
FIELDS_MAX = 32  # No route has half as many parameters.


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a query or a header. Without a default it can be absent, unless it is required."""

    name: str
    description: str
    kind: Literal["text", "integer", "flag"] = "text"
    choices: tuple[str, ...] = ()
    default: Value | None = None
    least: int = 0
    most: int = 999_999_999_999_999_999
    characters_max: int = words_limits.CHARACTERS_PER_ID_MAX  # A tag is not longer than an id.
    is_required: bool = False
    pattern: str = ""  # For OpenAPI only; the handler validates the text.

    def read(self, text: str) -> Value:
        """Returns the value of a text.

        Raises: ParameterInvalid, with the name and the rule.
        """
        match self.kind:
            case "flag":
                if text in ("true", "false"):
                    return text == "true"
                raise self._refused(text, "must be true or false")
            case "integer":
                if INTEGER.fullmatch(text) and self.least <= int(text) <= self.most:
                    return int(text)
                raise self._refused(text, f"must be a whole number from {self.least} to {self.most}")
            case "text":
                if self.choices and text not in self.choices:
                    raise self._refused(text, f"must be one of {', '.join(self.choices)}")
                if len(text) > self.characters_max:
                    raise self._refused(text, f"must have at most {self.characters_max} characters")
                return text

    def _refused(self, text: str, rule: str) -> ParameterInvalid:
        return ParameterInvalid(
            f"{self.name} {rule}, not '{printable(text)}'.", parameter=self.name, value=printable(text), rule=rule
        )

    def schema(self) -> dict[str, Any]:
        """Returns the JSON schema."""
        match self.kind:
            case "flag":
                found: dict[str, Any] = {"type": "boolean"}
            case "integer":
                found = {"type": "integer", "minimum": self.least, "maximum": self.most}
            case "text" if self.choices:
                found = {"type": "string", "enum": list(self.choices)}
            case "text":
                found = {"type": "string", "maxLength": self.characters_max}
                if self.pattern:
                    found["pattern"] = self.pattern
        return found if self.default is None else {**found, "default": self.default}


def read_query(query: bytes, known: Mapping[str, Parameter]) -> dict[str, Value]:
    """Returns the values of a query. An absent parameter has its default, or is missing.

    Raises: ParameterInvalid: unknown, twice, missing, not UTF-8, or not of its kind.
    """
    values: dict[str, Value] = {}
    for name, text in _pairs(query) if query else ():
        parameter = known.get(name)
        if parameter is None:
            raise ParameterInvalid(
                f"This request has no parameter '{printable(name)}'. It has: {', '.join(known) or 'none'}.",
                parameter=printable(name),
                known=list(known),
            )
        if name in values:
            raise ParameterInvalid(f"{name} is given twice.", parameter=name)
        values[name] = parameter.read(text)
    for name, parameter in known.items():
        if name not in values:
            if parameter.default is not None:
                values[name] = parameter.default
            elif parameter.is_required:
                raise ParameterInvalid(f"{name} is missing.", parameter=name)
    return values


def _pairs(query: bytes) -> Sequence[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    except UnicodeDecodeError as error:
        raise ParameterInvalid("The query is not UTF-8.", rule="percent-encoded UTF-8") from error
    except ValueError as error:
        raise ParameterInvalid(f"The query has more than {FIELDS_MAX} parameters.") from error


LIMIT = Parameter(
    name="limit",
    description="The maximum number of items of a page.",
    kind="integer",
    default=base_limits.PAGE_ITEMS_DEFAULT,
    least=1,
    most=base_limits.PAGE_ITEMS_MAX,
)
CURSOR = Parameter(
    name="cursor",
    description="`next_cursor` of the page before. Omit it for the first page.",
    characters_max=limits.CHARACTERS_PER_CURSOR_MAX,
)
AT_LEAST = Parameter(
    name="at_least",
    description="Answer from this version or a later one, such as the version of your receipt. "
    f"Waits up to {limits.WAIT_FOR_VERSION_SECONDS_MAX} seconds for it.",
    kind="integer",
)
AS_OF = Parameter(
    name="as_of",
    description="Answer as of this version, or of the newest one at this RFC 3339 time: its people and taggings, with "
    "the current rules and tag paths.",
    characters_max=40,
    pattern="^([0-9]{1,18}|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2}))$",
)
MATCH = Parameter(
    name="match",
    description="With `subtree`, tags below count too.",
    choices=("subtree", "exact"),
    default="subtree",
)
DRY_RUN = Parameter(name="dry_run", description="Return the receipt, but change nothing.", kind="flag", default=False)
MODE = Parameter(
    name="mode",
    description="How the lines are applied.",
    choices=("add", "remove", "change", "set", "mirror"),
    default="add",
)
NORMALIZE = Parameter(
    name="normalize", description="Convert tags to lower case before they are parsed.", choices=("lowercase",)
)
STARTS_AT = Parameter(
    name="starts_at",
    description="When the added taggings start: an RFC 3339 time with a zone, rounded up as `expires_at` is. A "
    "time that has passed means now.",
    characters_max=40,
)
EXPIRES_AT = Parameter(
    name="expires_at",
    description="When the added taggings expire: an RFC 3339 time with a zone, rounded up to the minute, or to the "
    "quarter of an hour if it is more than a day ahead.",
    characters_max=40,
)
TTL = Parameter(
    name="ttl",
    description="After how long the added taggings expire, such as 30m, 12h, 14d or 8w, instead of `expires_at`.",
    characters_max=12,
    pattern=SPAN_PATTERN,
)
CONTEXT = Parameter(
    name="context",
    description='The context of the decision as a JSON object, such as `{"platform": "ios"}`.',
    characters_max=limits.CHARACTERS_PER_CONTEXT_PARAMETER_MAX,
)
USER = Parameter(name="user", description="The id of a user.")
VISITOR = Parameter(name="visitor", description="The id of a visitor.")
