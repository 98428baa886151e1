"""Limits of tribes, each with its unit and its reason."""

CHARACTERS_PER_DESCRIPTION_MAX = 2_000  # A description is a paragraph and not a document.
TRIBES_PER_OVERLAP_MAX = 12  # One picture or table cannot show more than 2**12 regions.
DAYS_PER_TREND_MAX = 366  # A year with its leap day. A longer trend shows nothing new.
TAGS_PER_MAKE_UP_MAX = 1_000  # One page. Tags that fewer members have say little about a tribe.
DECISIONS_PER_REQUEST_MAX = 1_000  # A page of people in an app. It takes some 5 ms under the environment's lock.
DECISIONS_WITH_REASONS_MAX = 100  # Each reason is looked up in the log.
SAMPLE_PEOPLE_MAX = 10  # People shown with a preview.
