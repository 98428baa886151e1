"""Lines with a start or an expiry: the fast reader of NDJSON agrees with the one that goes line by line."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tagloom.files import read_parts

NOW = 1_772_355_630.0  # 2026-03-01T09:00:30Z
texts = st.sampled_from(
    ["12h", "14d", "soon", "", "2026-03-01T09:00:00Z", "2026-03-02T10:00:00Z", "2026-09-01T10:00:00+02:00"]
)
fields = st.fixed_dictionaries(
    {
        "user": st.sampled_from(["u1", "u2", "ttl", 'say "ttl":', '"starts_at":']),
        "tags": st.lists(st.sampled_from(["a", '"ttl":', "b"]), max_size=2),
    },
    optional={
        "ttl": st.one_of(texts, st.none(), st.integers(0, 3)),
        "expires_at": texts,
        "starts_at": st.one_of(texts, st.none()),
    },
)
lines = st.lists(st.tuples(fields, st.booleans()), max_size=30)


@given(lines)
def test_starts_and_expiries_are_read_in_a_block_as_they_are_alone(said: list[tuple[dict[str, object], bool]]) -> None:
    texts = [json.dumps(line, separators=(",", ":") if is_tight else None) for line, is_tight in said]
    together = list(read_parts(iter(["\n".join(texts).encode()]), "ndjson", now=NOW))
    periods = {int(line): period for part in together for line, period in zip(part.lines, part.periods(), strict=True)}
    rejected = {line.line: line.problem for part in together for line in part.rejected}

    for number, text in enumerate(texts, 1):
        # An item of a JSON body is read alone.
        (alone,) = list(read_parts(iter([f'{{"taggings":[{text}]}}'.encode()]), "json", now=NOW))
        if alone.rejected:
            assert rejected[number] == alone.rejected[0].problem
        else:
            assert [periods[number]] == list(alone.periods())
