"""Limits of tribes, each with its unit and its reason."""

CHARACTERS_PER_DESCRIPTION_MAX = 2_000  # A description is a paragraph and not a document.
TRIBES_PER_OVERLAP_MAX = 12  # One picture or table cannot show more than 2**12 regions.
DAYS_PER_TREND_MAX = 366  # A year with its leap day. A longer trend shows nothing new.
TAGS_PER_MAKE_UP_MAX = 1_000  # One page. Tags that fewer members have say little about a tribe.
DECISIONS_PER_REQUEST_MAX = 1_000  # A page of people in an app. It takes some 5 ms under the environment's lock.
DECISIONS_WITH_REASONS_MAX = 100  # Each reason is looked up in the log.
SAMPLE_PEOPLE_MAX = 10  # People shown with a preview.
ALERT_SHARE_PERCENT_MAX = 1_000  # A tribe that is eleven times as large. A larger share never fires in practice.
ALERT_WINDOW_HOURS_MAX = 720  # Thirty days, the span of the chart of a tribe.
ALERT_PEOPLE_MIN_MAX = 1_000_000_000  # No environment has more people.
ALERT_SECONDS_BETWEEN_POLLS = 10  # How often a process looks for alerts whose check is due.
ALERT_SECONDS_BETWEEN_CHECKS = 60  # The least time between two checks of one alert.
ALERT_SECONDS_BETWEEN_CHECKS_MAX = 3_600  # The greatest time between two checks of one alert, of a window of 12 days.
ALERT_CHECKS_PER_WINDOW = 288  # A window of a day is checked every five minutes. Each check reads the changes in it.
ALERTS_CHECKED_AT_ONCE_MAX = 100  # The due alerts that a process reads at a time.
ALERT_CHANGES_READ_MAX = 1_000  # The newest versions of the window among which the largest cause is searched.
ALERT_CAUSES_COUNTED_MAX = 5  # The versions with most taggings, for which the members before and after are counted.
