"""Writes and exports of taggings: of a whole body, of one person, and of the members of a tribe."""

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import ContentTypeUnsupported
from tagloom.files import Format, Line, ids_mapping, key_of, lines_part, read_parts, read_text
from tagloom.files import limits as files_limits
from tagloom.ports import limits as ports_limits
from tagloom.ports.population import Population
from tagloom.ports.writes import Apply, BatchRules, Part, TagTribe, WriteOptions
from tagloom.tribes.definitions import Tribes
from tagloom.words.changes import Origin, Version
from tagloom.words.mappings import Encoding
from tagloom.words.people import Kind, Person
from tagloom.words.periods import NO_PERIOD, Period, period_of
from tagloom.words.receipts import Mode, Receipt, TribeMode
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment

FORMAT_OF_CONTENT_TYPE: dict[str, Format] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
}


_CAME_LATER = ("starts_at", "expires_at", "ttl", "allow_unreadable", "tag", "compression", "encoding", "kind")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a bulk write: how its body is read and applied. The columns are used only for CSV and Parquet.

    Taggings start at `starts_at`, and expire at `expires_at` or after `ttl`, unless their lines have a start or an
    expiry. With `tag`, the body has only people, and the tag is added to all of them. If the body has only ids, they
    are of this `kind`. `compression` and `encoding` are the ones that the sender declares.
    """

    format: Format
    mode: Mode
    origin: Origin
    prefix: TagPath | None = None
    lowercase: bool = False
    dry_run: bool = False
    allow_empty: bool = False
    idempotency_key: str | None = None
    user_column: str = "user"
    visitor_column: str = "visitor"
    tag_column: str = "tag"
    rejected_max: int = ports_limits.REJECTED_PER_RECEIPT_MAX
    expires_at: str | None = None
    ttl: str | None = None
    allow_unreadable: bool = False
    tag: TagPath | None = None
    compression: str | None = None
    encoding: Encoding = "utf-8"
    kind: Kind = "user"
    starts_at: str | None = None

    def rules(self, now: float) -> BatchRules:
        """Returns the rules by which the lines are applied. `now` is in Unix seconds.

        Raises: StartInvalid, ExpiryInvalid, ExpiryPast.
        """
        start, expiry = period_of(self.starts_at, self.expires_at, self.ttl, now=now)
        return BatchRules(
            mode=self.mode,
            prefix=self.prefix,
            lowercase=self.lowercase,
            allow_empty=self.allow_empty,
            rejected_max=self.rejected_max,
            expiry=expiry,
            allow_unreadable=self.allow_unreadable,
            start=start,
        )

    def digest(self) -> bytes:
        """Returns the options as JSON, to compare two requests with the same idempotency key.

        Options that were added in later releases are left out if they have their default. So the digest of a request
        is the same as before these options existed.
        """
        values = msgspec.structs.asdict(self)
        return msgspec.json.encode(
            {
                name: value
                for name, value in values.items()
                if name not in _CAME_LATER or value not in (None, False, "utf-8", "user")
            }
        )


class Taggings:
    """Writes and exports the taggings of an environment. `now` returns Unix seconds."""

    def __init__(
        self, tribes: Tribes, population_of: Callable[[Environment], Population], now: Callable[[], float]
    ) -> None:
        self._tribes = tribes
        self._population_of = population_of
        self._now = now

    def import_body(self, environment: Environment, body: Iterator[bytes], order: Order) -> Receipt:
        """Applies a whole body as one batch. If the body ends early or cannot be read, nothing is applied.

        Memory is bounded, because the body is read part by part. With an idempotency key, the body is first copied to
        a temporary file, because its fingerprint must be known before the batch begins.

        Raises: BodyInvalid, ColumnsInvalid, StartInvalid, ExpiryInvalid, ExpiryPast, ContentTypeUnsupported, and the
        errors of `body` and `Apply`.
        """
        population = self._population_of(environment)
        if order.idempotency_key is None:
            return _applied(population, body, order, "", self._now())
        with tempfile.SpooledTemporaryFile(max_size=files_limits.PART_BYTES) as spool:
            digest = hashlib.blake2b(order.digest(), digest_size=32)
            for chunk in body:
                digest.update(chunk)
                spool.write(chunk)
            spool.seek(0)
            chunks = iter(lambda: spool.read(base_limits.UPLOAD_CHUNK_BYTES), b"")
            return _applied(population, chunks, order, digest.hexdigest(), self._now())

    def submit_tags(
        self,
        environment: Environment,
        person: Person,
        tags: Sequence[str],
        mode: Mode,
        origin: Origin,
        period: Period = NO_PERIOD,
    ) -> "Future[Receipt]":
        """Submits the tags of one person as a batch of one line. Batches that wait share a commit."""
        part = lines_part([Line(1, key_of(person.kind, person.id), tags)])
        write = Apply([part], BatchRules(mode=mode, expiry=period.expiry, start=period.start))
        return self._population_of(environment).submit(write, WriteOptions(origin))

    def tag_tribe(
        self,
        environment: Environment,
        tribe: str,
        tag: TagPath,
        mode: TribeMode,
        origin: Origin,
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
        starts_at: str | None = None,
        expires_at: str | None = None,
        ttl: str | None = None,
    ) -> Receipt:
        """Adds a tag to the members of a tribe, removes it, or takes a snapshot: then nobody else has the tag.

        It is one batch, and the caller never gets the ids of the members. The source of the batch is the tribe. Added
        taggings start at `starts_at`, and expire at `expires_at`, which must be in the future, or after `ttl`.

        Raises: TribeNotFound, TribeNeedsContext, StartInvalid, ExpiryInvalid, ExpiryPast, and what `TagTribe` raises.
        """
        wanted, definitions = self._tribes.get_countable(environment.space, tribe)
        start, expiry = period_of(starts_at, expires_at, ttl, now=self._now())
        write = TagTribe(wanted, tag, mode, definitions, expiry, start)
        # Without a start, the fingerprint is that of the releases that knew no start.
        said = [tribe, tag, mode, origin, expires_at, ttl, *([] if starts_at is None else [starts_at])]
        asked = hashlib.blake2b(msgspec.json.encode(said), digest_size=32)
        options = WriteOptions(Origin(origin.actor, f"tribe {tribe}"), dry_run, idempotency_key, asked.hexdigest())
        return self._population_of(environment).write(write, options)

    def list_taggings(self, environment: Environment) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """Returns a version, and every tagging at that version, person by person, a chunk of people at a time."""
        return self._population_of(environment).taggings()


def _applied(population: Population, body: Iterator[bytes], order: Order, fingerprint: str, now: float) -> Receipt:
    rules = order.rules(now)
    if order.tag is None:
        parts = read_parts(
            body,
            order.format,
            user_column=order.user_column,
            visitor_column=order.visitor_column,
            tag_column=order.tag_column,
            allow_change=order.mode == "change",
            allow_attributes=order.mode != "remove",
            period=rules.period,
            now=now,
            compression=order.compression,
            encoding=order.encoding,
        )
    else:
        parts = parts_of_people(body, order, order.tag)
    action = "import" if order.format != "json" else "tagging"
    options = WriteOptions(order.origin, order.dry_run, order.idempotency_key, fingerprint)
    return population.write(Apply(parts, rules, action), options)


def parts_of_people(body: Iterator[bytes], order: Order, tag: TagPath) -> Generator[Part, None, None]:
    """Returns the parts of a body that has only people, each with the tag.

    Raises: ContentTypeUnsupported, at once; the errors of `read_parts`.
    """
    if order.format == "parquet" or order.mode == "change":
        raise ContentTypeUnsupported(
            "With 'tag' a body is CSV, NDJSON or JSON, and its mode is not 'change'.", rule="CSV, NDJSON or JSON"
        )
    people = ids_mapping(tag, order.user_column, order.visitor_column, kind=order.kind)
    mapping = msgspec.structs.replace(people, encoding=order.encoding)
    return read_text(body, order.format, mapping, compression=order.compression)
