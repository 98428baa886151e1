"""What the headers of a body declare: its encoding and its compression."""

from email.message import EmailMessage

from tagloom.base.problems import ContentTypeUnsupported
from tagloom.base.text import printable
from tagloom.files.decoding import COMPRESSIONS
from tagloom.words.mappings import Encoding

# As in browsers, Latin-1 means windows-1252.
_ENCODING_OF_CHARSET: dict[str, Encoding] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
}


def declared_encoding(content_type: str | None) -> Encoding:
    """Returns the encoding of a text by its content type; UTF-8 if it names none. Raises: ContentTypeUnsupported."""
    message = EmailMessage()
    message["Content-Type"] = (content_type or "").replace("\n", " ").replace("\r", " ")
    charset = str(message.get_param("charset", "utf-8")).lower()
    if charset not in _ENCODING_OF_CHARSET:
        raise ContentTypeUnsupported(
            f"A text is in utf-8, utf-16 or windows-1252, not in '{printable(charset)}'.",
            supported=["utf-8", "utf-16", "windows-1252"],
        )
    return _ENCODING_OF_CHARSET[charset]


def declared_compression(content_encoding: str | None) -> str | None:
    """Returns the compression of a body by its Content-Encoding, or None. Raises: ContentTypeUnsupported."""
    said = (content_encoding or "").strip().lower().removeprefix("x-")
    if said in ("", "identity"):
        return None
    if said not in COMPRESSIONS:
        raise ContentTypeUnsupported(
            f"The body may be compressed by {' or '.join(COMPRESSIONS)}, not by '{printable(said)}'.",
            supported=list(COMPRESSIONS),
        )
    return said
