"""Creates imports over HTTP: from a body, from a form with options, or from the address of a file."""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from tagloom.base.problems import BodyInvalid, ContentTypeUnsupported, ParameterInvalid
from tagloom.files import ids_mapping
from tagloom.files.decoding import check_declared
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.http.framework.bodies import JSON, content_type, decode, format_of_content_type, read_body, received
from tagloom.http.framework.body_headers import declared_compression, declared_encoding
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.schemas import ImportOptions, UrlImport
from tagloom.imports.folder import Stored
from tagloom.imports.lifecycle import How
from tagloom.ports import limits
from tagloom.ports.imports import Import, ImportFormat
from tagloom.server.body_reader import media_type
from tagloom.server.multipart import MULTIPART, Form, boundary_of, kept_form
from tagloom.words.mappings import Encoding, Mapping
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag

Options = TypeVar("Options", bound=ImportOptions)
FORMATS: dict[str, ImportFormat] = {content_type: format for format, content_type in CONTENT_TYPE_OF_FORMAT.items()}
OPTIONS = "options"  # The field of a form that has all options as JSON.


async def create_import(call: Call) -> Answer:
    """Creates an import from a file, to be planned or run later."""
    options = _merged(ImportOptions, call.query)
    compression = declared_compression(call.header(b"content-encoding"))
    if compression is not None and content_type(call) in (JSON, MULTIPART):
        raise ContentTypeUnsupported("Only a file can be compressed, not the form or the JSON around it.", supported=[])
    if content_type(call) == JSON:
        body = decode(await read_body(call), dict[str, Any])
        asked = _merged(UrlImport, msgspec.structs.asdict(options), body)
        run = await call.in_thread(lambda: _create_from_url(call, asked))
    elif content_type(call) == MULTIPART:
        boundary = boundary_of(call.header(b"content-type"))
        run = await received(
            call,
            limits.IMPORT_BYTES_MAX,
            lambda chunks: _create_from_form(call, chunks, boundary=boundary, options=options),
        )
    else:
        format = format_of_body(call, MULTIPART, JSON)
        name = options.name or f"body.{format}"
        encoding = declared_encoding(call.header(b"content-type"))

        def create(chunks: Iterator[bytes]) -> Import:
            file = check_declared(chunks, compression)
            return _create(call, file, options, name=name, format=format, encoding=encoding)

        run = await received(call, limits.IMPORT_BYTES_MAX, create)
    environment = call.environment
    place = f"/v2/spaces/{environment.space}/environments/{environment.name}/imports/{run.id}"
    return Answer(run, status=201, headers=((b"location", place.encode("ascii")),))


OCTETS = "application/octet-stream"


def format_of_body(call: Call, *others: str) -> ImportFormat:
    """Returns the format by the content type, or for plain bytes by the parameter `format`; `others` are accepted too.

    Raises: ContentTypeUnsupported; ParameterInvalid: plain bytes without a format.
    """
    if content_type(call) == OCTETS and OCTETS in others:
        named = call.find_text("format")
        if named is None:
            raise ParameterInvalid(f"A body of {OCTETS} needs the parameter format.", parameter="format")
        wanted: ImportFormat = msgspec.convert(named, ImportFormat)
        return wanted
    return format_of_content_type(call, FORMATS, *others)


def _merged(kind: type[Options], *given: dict[str, Any], is_text: bool = False) -> Options:
    """Returns merged options; later arguments override earlier ones. With `is_text`, numbers and flags are texts.

    Raises: BodyInvalid, with the field.
    """
    merged = {name: value for each in given for name, value in each.items()}
    try:
        return msgspec.convert(merged, kind, strict=not is_text)
    except msgspec.ValidationError as error:
        says, _, place = str(error).partition(" - at `")
        field = place.rstrip("`") or "$"
        raise BodyInvalid(f"{says}, at {field}.", field=field) from error


def _create_from_form(call: Call, chunks: Iterator[bytes], *, boundary: bytes, options: ImportOptions) -> Import:
    """Creates the import of a form, with the options before or after the file. Call it in a thread."""
    imports = call.services.imports
    with kept_form(
        chunks,
        boundary,
        keep=lambda file: imports.store(call.environment, file),
        discard=imports.discard,
        no_file="The form has no file. With curl: -F file=@customers.csv, with the @.",
    ) as form:
        wanted = _options_of(form, options)
        format = wanted.format or FORMATS.get(media_type(form.content_type))
        encoding = declared_encoding(form.content_type)
        return _create(call, form.file, wanted, name=wanted.name or form.name, format=format, encoding=encoding)


def _options_of(form: Form[Stored], options: ImportOptions) -> ImportOptions:
    """Returns the options of the form, which override those of the query."""
    fields = dict(form.fields)
    text = fields.pop(OPTIONS, None)
    written = {} if text is None else decode(text.encode(), dict[str, Any])
    return _merged(ImportOptions, msgspec.structs.asdict(options), written, fields, is_text=True)


def _create(
    call: Call,
    source: Iterator[bytes] | Stored,
    options: ImportOptions,
    *,
    name: str,
    format: ImportFormat | None,
    encoding: Encoding,
) -> Import:
    named, mapping = _saved_mapping(call, options)
    mapping = _with_encoding(mapping, encoding)
    how: How = {**_how(call, options, named, mapping), "name": name, "format": format}
    return call.services.imports.create_import(call.environment, source, **how)


def _with_encoding(mapping: Mapping | None, encoding: Encoding) -> Mapping | None:
    """Returns the mapping with the declared encoding, unless the mapping names another one than UTF-8.

    Raises: ContentTypeUnsupported: the text is not UTF-8, and there is no mapping.
    """
    if encoding == "utf-8":
        return mapping
    if mapping is None:
        raise ContentTypeUnsupported(
            f"An import without a mapping cannot be read as {encoding}. Use a mapping, or convert the file to UTF-8.",
            supported=["utf-8"],
        )
    return replace(mapping, encoding=encoding) if mapping.encoding == "utf-8" else mapping


def _create_from_url(call: Call, asked: UrlImport) -> Import:
    """Creates the import of a file that will be fetched. Call it in a thread."""
    how = _how(call, asked, *_saved_mapping(call, asked))
    return call.services.fetcher.create_import_from_url(
        call.environment, Remote(url=asked.url, secret=asked.secret), **how
    )


def _how(call: Call, options: ImportOptions, named: str | None, mapping: Mapping | None) -> How:
    return How(
        name=options.name,
        by=call.principal.name,
        mapping=mapping,
        mapping_name=named,
        mode=options.mode,
        prefix=options.prefix,
        lowercase=options.normalize == "lowercase",
        format=options.format,
        share_removed_max=options.share_removed_max,
        allow_empty=options.allow_empty,
        starts_at=options.starts_at,
        expires_at=options.expires_at,
        ttl=options.ttl,
        key=call.idempotency_key(),
    )


def _saved_mapping(call: Call, options: ImportOptions) -> tuple[str | None, Mapping | None]:
    """Returns the mapping of the options, and its name for the import. Raises: MappingNotFound."""
    if options.tag is not None:
        if options.mapping is not None:
            raise ParameterInvalid("A file has a mapping or one tag, not both.", parameter="tag")
        return None, ids_mapping(parse_tag(options.tag))
    if options.mapping is None:
        return None, None
    found = call.services.mappings.get_mapping(call.environment.space, options.mapping)
    return f"{found.name}, version {found.version}", found.mapping
