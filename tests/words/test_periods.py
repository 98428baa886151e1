"""When taggings start: times, rounding that is never early, and the expiry that follows."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words import limits
from tagloom.words.expiry import DAY, ExpiryInvalid, ExpiryPast, moment_now
from tagloom.words.periods import (
    NO_PERIOD,
    Period,
    PeriodTexts,
    StartInvalid,
    Term,
    is_due,
    is_over,
    parse_starts_at,
    period_of,
    period_of_texts,
    period_texts,
    start_order,
    term_of,
)

NOW = datetime(2026, 3, 1, 9, 0, 30, tzinfo=UTC).timestamp()
MINUTE_NOW = moment_now(NOW)
later = st.floats(NOW + 0.001, NOW + (limits.TTL_DAYS_MAX - 1) * DAY)


@given(later)
def test_a_start_is_never_early_and_at_most_a_quarter_of_an_hour_late(seconds: float) -> None:
    text = datetime.fromtimestamp(seconds, UTC).isoformat()

    start = parse_starts_at(text, NOW) * 60

    assert 0 <= start - datetime.fromisoformat(text).timestamp() < 900


@pytest.mark.parametrize("text", ["1960-01-01T00:00:00Z", "2026-03-01T09:00:30Z", "2026-03-01T09:00:00+01:00"])
def test_a_start_that_has_passed_means_now(text: str) -> None:
    start = parse_starts_at(text, NOW)

    assert start == MINUTE_NOW
    assert term_of(Period(start), Period(MINUTE_NOW + 9), 0, NOW) == Term(0, 0)


@pytest.mark.parametrize("text", ["", "soon", "2026-03-01", "2026-03-01T10:00:00", "3d", "2126-03-01T10:00:00Z"])
def test_what_is_no_start_is_refused(text: str) -> None:
    with pytest.raises(StartInvalid):
        parse_starts_at(text, NOW)


@given(later, later)
def test_a_tagging_that_would_expire_before_it_starts_is_refused(start: float, expiry: float) -> None:
    starts_at, expires_at = (datetime.fromtimestamp(each, UTC).isoformat() for each in (start, expiry))
    try:
        period = period_of(starts_at, expires_at, None, now=NOW)
    except StartInvalid:
        assert parse_starts_at(expires_at, NOW) <= parse_starts_at(starts_at, NOW)
    else:
        assert period.start < period.expiry


def test_the_period_of_a_line_is_checked_together_with_that_of_its_body() -> None:
    body = period_of("2026-03-02T10:00:00Z", None, None, now=NOW)

    assert period_of(None, "2026-03-02T11:00:00Z", None, now=NOW, otherwise=body).expiry > body.start
    with pytest.raises(StartInvalid):
        period_of(None, "2026-03-02T09:00:00Z", None, now=NOW, otherwise=body)


def test_an_expiry_is_read_as_without_a_start() -> None:
    with pytest.raises(ExpiryInvalid):
        period_of(None, None, "soon", now=NOW)
    with pytest.raises(ExpiryPast):
        period_of(None, "2026-03-01T08:00:00Z", None, now=NOW)
    assert period_of(None, None, None, now=NOW) == NO_PERIOD


@given(st.integers(1, 10_000), st.integers(60, 10 * DAY))
def test_a_ttl_counts_from_the_start(minutes: int, ttl: int) -> None:
    start = MINUTE_NOW + minutes

    for term in (term_of(Period(start, -ttl), NO_PERIOD, 0, NOW), term_of(Period(start), NO_PERIOD, ttl, NOW)):
        assert term.start == start
        assert 0 <= term.expires * 60 - (start * 60 + ttl) < 60


def test_stored_texts_mean_the_same_period() -> None:
    for starts_at, expires_at, ttl in (
        ("2026-03-02T10:00:00Z", None, "14d"),
        ("2026-03-02T10:00:00Z", "2026-04-01T00:00:00Z", None),
        (None, None, None),
    ):
        texts = period_texts(starts_at, expires_at, ttl, NOW)
        assert period_of_texts(texts) == period_of(starts_at, expires_at, ttl, now=NOW)
    assert texts == PeriodTexts()


def test_a_scheduled_tagging_is_due_at_its_start_or_when_it_would_have_expired() -> None:
    assert [is_due(Term(5, 9), moment) for moment in (4, 5, 9)] == [False, True, True]
    assert [is_over(Term(5, expires), 7) for expires in (0, 7, 8)] == [False, True, False]
    assert sorted([Term(2, 9), Term(2, 0), Term(2, 5), Term(1, 3)], key=start_order) == [
        Term(1, 3), Term(2, 0), Term(2, 9), Term(2, 5)
    ]  # fmt: skip
