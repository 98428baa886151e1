"""Renders templates as HTML, with every value escaped, and formats numbers, times and texts for them."""

import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
from markupsafe import Markup
from msgspec import UNSET

from tagloom.base.text import plural, printable
from tagloom.console.forms.attribute_values import shown
from tagloom.console.forms.rule_editor import line_of, opened
from tagloom.console.forms.times import shown_day, shown_moment
from tagloom.console.problems import AssetsMissing
from tagloom.words.attributes import AttributeType, shown_value
from tagloom.words.builtin_attributes import RESERVED_NAMES
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.retention import retention_text
from tagloom.words.rules import Rule
from tagloom.words.syncs import sync_named

CONSOLE = Path(__file__).resolve().parents[1]
STATIC = CONSOLE / "static"
HUES = 24
MINUS = "\u2212"

# The order matters: most browsers also name others in their user agent.
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Renderer:
    """Renders the console's templates. `static` holds the built assets and their manifest.

    Raises: AssetsMissing: the assets are not built.
    """

    def __init__(self, static: Path = STATIC) -> None:
        self.static = static
        try:
            self._assets: Mapping[str, str] = json.loads((static / "manifest.json").read_text("utf-8"))
        except FileNotFoundError as error:
            raise AssetsMissing(
                f"The console's scripts and styles are not in '{static}'. Build them with: make setup"
            ) from error
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(CONSOLE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(
            number=number,
            signed=signed,
            share=share,
            hue=hue,
            initials=initials,
            levels=levels,
            segment=segment,
            span=span,
            retention=retention_text,
            ago=ago,
            ahead=ahead,
            day=day,
            moment=moment,
            rule_text=rule_text,
            opened=opened,
            line=line_of,
            plain=plain,
            shown_moment=shown_moment,
            shown_day=shown_day,
            capitalize_first=capitalize_first,
            event_detail=event_detail,
            browser=browser,
            plural=plural,
            sync_named=sync_named,
            attribute_value=attribute_value,
            attribute_shown=shown,
        )
        self._templates.globals.update(
            asset=self.asset,
            icon=self._icon,
            reserved_names=RESERVED_NAMES,
            computed_names=frozenset(COMPUTED_ATTRIBUTES),
        )

    def asset(self, name: str) -> str:
        """Returns the address of a built asset."""
        return f"/assets/{self._assets[name]}"

    def _icon(self, name: str, label: str = "") -> Markup:
        named = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
        return Markup('<svg class="icon"{}><use href="{}#{}"/></svg>').format(named, self.asset("icons.svg"), name)

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """Renders a template. Every name that it uses must be in `context`."""
        return self._templates.get_template(template).render(context)


def browser(agent: str) -> str:
    """Returns the names of a browser and its system, from its user agent.

    >>> browser("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36")
    'Chrome on Linux'
    """
    name = next((name for token, name in BROWSERS if token in agent), "")
    system = next((name for token, name in SYSTEMS if token in agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or printable(agent)[:60] or "unknown"


def number(value: int) -> str:
    """Returns an exact number with separators.

    >>> number(1204331)
    '1,204,331'
    """
    return f"{value:,}"


def signed(value: int) -> str:
    """Returns a difference with its sign; no difference is 0.

    >>> signed(12034), signed(-3201), signed(0)
    ('+12,034', '\u22123,201', '0')
    """
    return f"+{value:,}" if value > 0 else f"{MINUS}{-value:,}" if value < 0 else "0"


def share(part: float, of: float) -> str:
    """Returns a part of a whole in percent. Only zero is "0 %", and only the whole is "100 %".

    >>> share(1, 3), share(1, 100_000), share(99_999, 100_000), share(0, 0)
    ('33.3 %', '<0.1 %', '>99.9 %', '0 %')
    """
    if not of or not part:
        return "0 %"
    if part == of:
        return "100 %"
    percent = 100 * part / of
    return "<0.1 %" if percent < 0.1 else ">99.9 %" if percent > 99.9 else f"{percent:.1f} %"


def hue(path: str) -> int:
    """Returns the hue class of a tag: it depends only on the top level of the path."""
    return zlib.crc32(path.split("/", 1)[0].encode("utf-8", "surrogatepass")) % HUES


def initials(name: str) -> str:
    """Returns the initials of a teammate.

    >>> initials("Ada Lovelace"), initials("ada@example.org")
    ('AL', 'A')
    """
    words = [word for word in name.replace("@", " @").split() if word[0].isalnum()]
    return "".join(word[0].upper() for word in (words[:1] + words[1:][-1:])) or "?"


def capitalize_first(text: str) -> str:
    """Makes the first letter a capital and keeps all others.

    >>> capitalize_first("renamed from “VIP”")
    'Renamed from “VIP”'
    """
    return text[:1].upper() + text[1:]


def event_detail(name: str, value: Any) -> str:
    """Returns a detail of an audit entry in words.

    >>> event_detail("invited_by", "ada@example.org"), event_detail("scopes", ["tags:read", "tags:write"])
    ('invited by ada@example.org', 'scopes tags:read, tags:write')
    >>> event_detail("expires_at", "2027-11-29T10:00:00Z")
    'expires on 29 Nov 2027'
    """
    if isinstance(value, str) and name.endswith("_at"):
        return f"{name.removesuffix('_at')} on {day(value)}"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"{name.replace('_', ' ')} {text}"


# A parameter of the API, such as `allow_empty=true`, and a position in a body, such as `at $.from`.
_PARAMETER = re.compile(r"\b[a-z]+(_[a-z]+)*=[a-z]+\b")
_PLACE = re.compile(r",? at \$(?:\.\w+|\[\d+\])*")
_SENTENCE_END = re.compile(r"(?<=[.?]) (?=[A-Z])")


def plain(detail: str) -> str:
    """Removes the sentences about API parameters from the detail of a problem. The page has a button instead.

    >>> plain("Nothing would be left. Ask for that with allow_empty=true.")
    'Nothing would be left.'
    >>> plain("'x' is not a time, at $.from.")
    "'x' is not a time."
    """
    sentences = _SENTENCE_END.split(_PLACE.sub("", detail))
    return " ".join(each for each in sentences if not _PARAMETER.search(each)) or detail


def levels(path: str) -> list[str]:
    """Returns the levels of a tag."""
    return path.split("/")


def segment(text: str) -> str:
    """Returns text escaped as one segment of an address."""
    return quote(text, safe="")


def ago(then: str, now: datetime) -> str:
    """Returns how long ago an RFC 3339 time was, such as "3 h ago"."""
    seconds = max(0, int((now - datetime.fromisoformat(then)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago" if seconds >= 2 else "now"


def ahead(then: str, now: datetime) -> str:
    """Returns how far ahead an RFC 3339 time is, rounded down to whole units.

    >>> ahead("2026-11-06T10:00:00Z", datetime(2026, 11, 3, 9, tzinfo=UTC))
    'in 3 days'
    """
    seconds = int((datetime.fromisoformat(then) - now).total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return f"in {plural(seconds // size, unit)}"
    return "in less than a minute" if seconds > 0 else "now"


def span(text: str) -> str:
    """Returns a duration in words.

    >>> span("14d"), span("1y")
    ('14 days', '1 year')
    """
    units = {"m": "minute", "h": "hour", "d": "day", "w": "week", "y": "year"}
    return plural(int(text[:-1]), units[text[-1]])


def day(then: str) -> str:
    """Returns the day of an RFC 3339 time, in UTC.

    >>> day("2026-11-03T10:00:00Z")
    '3 Nov 2026'
    """
    at = datetime.fromisoformat(then).astimezone(UTC)
    return f"{at.day} {at:%b %Y}"


def moment(then: str) -> str:
    """Returns an RFC 3339 time to the minute, in UTC.

    >>> moment("2026-11-03T10:05:59Z")
    '3 Nov 2026, 10:05 UTC'
    """
    return f"{day(then)}, {datetime.fromisoformat(then).astimezone(UTC):%H:%M} UTC"


def attribute_value(value: Any, type: AttributeType | None = None) -> str:
    """Returns the value of an attribute, plain JSON or UNSET, as a part of a sentence.

    >>> attribute_value(["a", "b"]), attribute_value(UNSET)
    ('the value ["a","b"]', 'no value')
    >>> attribute_value("2026-11-03T10:05:00.000Z", "time")
    'the value 3 Nov 2026, 10:05 UTC'
    """
    if value is UNSET:
        return "no value"
    return f"the value {shown(value, type).text if type == 'time' else shown_value(value)}"


def rule_text(rule: Rule) -> str:
    """Returns a rule as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(rule), indent=2).decode("utf-8")
