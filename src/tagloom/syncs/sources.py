"""Reads the sources of syncs with the secrets and the folder of an organization, within the egress policy.

A run reads the whole source. Mapping inference reads only the first rows.
"""

import threading
from collections import Counter
from pathlib import Path

from tagloom.base.problems import Problem
from tagloom.base.text import plural
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.remotes import Remotes
from tagloom.egress.secrets import NAME
from tagloom.imports.mapping_inference import Beginning
from tagloom.syncs import limits
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.pull import OnRows, Pulled, begin, pull
from tagloom.syncs.queries import IsOver, never
from tagloom.words.source_addresses import AddressRefused, parse_address
from tagloom.words.syncs import FilesSource, PushSource, SqlSource, SyncSource, UrlSource


class TooManyBeginnings(Problem):
    """Too many sources are being previewed at the moment."""

    status = 503


class Sources:
    """A reader of the sources of syncs. No organization can use a secret or a file of another organization."""

    def __init__(self, egress_policy: EgressPolicy, remotes: Remotes) -> None:
        self._egress_policy = egress_policy
        self._remotes = remotes
        self._lock = threading.Lock()
        self._beginnings = Counter[str]()

    def pull(
        self,
        organization: str,
        source: SyncSource,
        target: Path,
        *,
        cursor: str | None,
        on_rows: OnRows,
        is_over: IsOver = never,
    ) -> Pulled:
        """Writes the rows of a source into the new file `target`. If `is_over` returns True, a query is cancelled.

        Raises: the errors of `pull.pull`.
        """
        return pull(
            source,
            target,
            cursor=cursor,
            read_secret=lambda name: self._egress_policy.secrets.read(organization, name),
            folder=self._folder(organization),
            fetch=lambda remote: self._remotes.each(organization, remote),
            on_rows=on_rows,
            is_over=is_over,
        )

    def begin(self, organization: str, source: SyncSource, *, is_over: IsOver = never) -> Beginning:
        """Returns the columns and first rows of a source. If `is_over` returns True, a query is cancelled.

        Raises: SyncInvalid: the source is invalid or is a push source; TooManyBeginnings; SourceUnreadable;
        BodyInvalid, ColumnsInvalid: the source has no rows that can be read.
        """
        check_source(source)
        with self._lock:
            own, all_together = self._beginnings[organization], self._beginnings.total()
            if own >= limits.BEGINNINGS_PER_ORGANIZATION_MAX or all_together >= limits.BEGINNINGS_AT_ONCE_MAX:
                raise TooManyBeginnings(
                    f"This process previews {plural(max(own, 1), 'source')} already.", retry_after=5
                )
            self._beginnings[organization] += 1
        try:
            return begin(
                source,
                read_secret=lambda name: self._egress_policy.secrets.read(organization, name),
                folder=self._folder(organization),
                fetch=lambda remote: self._remotes.each(organization, remote),
                is_over=is_over,
            )
        finally:
            with self._lock:
                self._beginnings[organization] -= 1
                self._beginnings += Counter()  # The addition removes the entries that are 0.

    def _folder(self, organization: str) -> Path | None:
        return None if self._egress_policy.files is None else self._egress_policy.files / organization


def check_source(source: SyncSource) -> None:
    """Checks a source without a connection. Raises: SyncInvalid, which names the field."""
    match source:
        case SqlSource():
            _check_secret(source.secret)
            if not 0 < len(source.query.strip()) <= limits.SYNC_QUERY_CHARACTERS_MAX:
                raise invalid(
                    f"A query has 1 to {limits.SYNC_QUERY_CHARACTERS_MAX:,} characters.", field="$.source.query"
                )
            if (source.cursor is not None) != (":cursor" in source.query):
                raise invalid("A cursor's column and ':cursor' in the query go together.", field="$.source.cursor")
        case FilesSource():
            if not source.glob or source.glob.startswith("/") or ".." in source.glob.split("/"):
                raise invalid("A glob must be relative to the organization's folder: crm/*.csv.", field="$.source.glob")
        case UrlSource():
            if source.secret is not None:
                _check_secret(source.secret)
            try:
                parse_address(source.url)
            except AddressRefused as problem:
                raise invalid(problem.detail, field="$.source.url") from problem
        case PushSource():
            pass


def _check_secret(name: str) -> None:
    if not NAME.fullmatch(name):
        raise invalid("A secret's name may have lower-case letters, digits and hyphens.", field="$.source.secret")


def invalid(says: str, *, field: str, rule: str | None = None) -> SyncInvalid:
    """Returns the problem of an invalid field of a draft. `says` is the detail of the problem."""
    return SyncInvalid(says, field=field, **({} if rule is None else {"rule": rule}))
