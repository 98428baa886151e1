"""Detects columns of personal data, which are no tags: e-mail addresses, names, dates, ids, free text.

Either the name or the cells of a column are enough to detect such a column.
"""

import re
from collections.abc import Sequence

from tagloom.words.mappings import NUMBER

# These words are the last word of a column's name in snake case.
_ID_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "key", "number", "num", "nr", "ref", "reference", "sku", "iban", "bic", "ssn", "vat"}
    | {"zip", "zipcode", "postcode", "phone", "telephone", "mobile", "fax", "ip", "serial", "hash", "token", "password"}
)
_ID_NAMES = frozenset({"zip_code", "postal_code", "phone_number", "customerid", "userid", "account_no", "customer_no"})
_DATE_WORDS = frozenset(
    {"date", "time", "datetime", "timestamp", "at", "birthday", "birthdate", "dob", "created", "updated", "modified"}
    | {"since", "until"}
)
_CONTACT_WORDS = frozenset({"email", "mail", "emails", "address", "street", "url", "website", "homepage", "link"})
_TEXT_WORDS = frozenset(
    {"note", "notes", "comment", "comments", "description", "message", "remark", "remarks", "bio", "about", "memo"}
    | {"feedback", "summary", "subject", "details", "text"}
)
_NAME_WORDS = frozenset(
    {
        "firstname",
        "lastname",
        "fullname",
        "surname",
        "username",
        "nickname",
        "forename",
        "owner",
        "assignee",
        "salesrep",
    }
    | {"vorname", "nachname", "contact", "login"}
)
# Words before `name` that make a column the name of a person or a company: "first name", unlike "plan name".
_NAMED_BY = frozenset(
    {"first", "last", "full", "given", "family", "middle", "maiden", "legal", "display", "nick", "user", "customer"}
    | {"contact", "account", "company", "client", "member", "person", "owner", "billing", "shipping"}
)

EMAIL = re.compile(r"[^\s@,;|]+@[^\s@,;|]+\.[^\s@,;|]+")
_URL = re.compile(r"(https?://|www\.)\S+", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"(?=.*\d)[0-9a-f]{16,}", re.IGNORECASE)
_ADDRESS_OF_HOST = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-f]{0,4}(:[0-9a-f.]{0,15}){2,7}", re.IGNORECASE)
_PHONE = re.compile(r"(\+|00|\()[\d\s().\-/]{6,}\d|\d{2,5}([\s.\-/]\d{2,}){2,}")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-zä]*\.?"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([ap]m)?\s*(z|utc|[+-]\d{2}:?\d{2})?"
_DATE = re.compile(
    rf"(\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}"
    rf"|(\w+,? )?{_MONTH} \d{{1,2}},? \d{{4}}|(\w+,? )?\d{{1,2}}\.?[ -]{_MONTH}[ -]\d{{2,4}}"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))"
    rf"([t ,]+{_CLOCK})?|{_CLOCK}",
    re.IGNORECASE,
)
_PERSON = re.compile(r"[^\W\d_a-z][\w'\u2019.\-]*,?( (von|van|de|der|da|la))*( [^\W\d_a-z][\w'\u2019.\-]*)+")
_ID_DIGITS_MIN = 5  # Distinct numbers of one width are ids from this many digits on. A year such as 2026 has fewer.
_WORDS_MAX = 5  # A label has fewer words than a sentence.


def is_id_name(name: str) -> bool:
    """Returns whether a column's name in snake case is usual for ids, telephone numbers or codes of one person."""
    return name in _ID_NAMES or name.rpartition("_")[2] in _ID_WORDS


def is_personal_name(name: str) -> bool:
    """Returns whether a column's name in snake case is usual for names, contacts, dates or free text."""
    first, _, last = name.rpartition("_")
    if last == "name":
        return not first or first.rpartition("_")[2] in _NAMED_BY
    if last == "on":
        return first.rpartition("_")[2].endswith("ed")  # An example is "created on".
    return last in _DATE_WORDS | _CONTACT_WORDS | _TEXT_WORDS | _NAME_WORDS


def are_personal(texts: Sequence[str]) -> bool:
    """Returns whether some cells, none of them blank, are e-mail addresses, names, dates, ids or free text."""
    stripped = [text.strip() for text in texts]
    if any(EMAIL.search(text) or _URL.match(text) or _is_sentence(text) for text in stripped):
        return True
    usual = (_UUID, _HEX, _ADDRESS_OF_HOST, _PHONE, _DATE)
    # One odd cell, such as "unknown", does not change the kind of a column.
    if any(2 * sum(1 for text in stripped if form.fullmatch(text)) >= len(stripped) for form in usual):
        return True
    is_each_once = len(stripped) > 1 and len(set(stripped)) == len(stripped)
    return is_each_once and (_are_ids(stripped) or all(_PERSON.fullmatch(text) for text in stripped))


def _is_sentence(text: str) -> bool:
    words = text.split()
    return len(words) > _WORDS_MAX or "\n" in text or (len(words) > 2 and text.endswith((".", "!", "?")))


def _are_ids(texts: Sequence[str]) -> bool:
    """Returns whether distinct texts are numbers of one width, or codes with many digits."""
    if all(text.isdecimal() for text in texts):
        return len({len(text) for text in texts}) == 1 and len(texts[0]) >= _ID_DIGITS_MIN
    digits_least = min(sum(map(str.isdigit, text)) for text in texts)
    return digits_least >= 3 and not any(" " in text or NUMBER.fullmatch(text) for text in texts)
