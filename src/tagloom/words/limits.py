"""Limits of words: tags, people, rules, lines and mappings, each with its unit and its reason."""

LEVELS_PER_TAG_MAX = 3  # The tree of the console and the CRMs that we know need no more.
CHARACTERS_PER_LEVEL_MAX = 64  # Such a name fits into the label of a tag. Longer names are descriptions.
CHARACTERS_PER_ID_MAX = 256  # The longest key of the identity providers that we know has 255 characters.
NODES_PER_RULE_MAX = 1_000  # A rule of a thousand filters still counts in well under a second.
LEVELS_PER_RULE_MAX = 16  # Recursion stays shallow. Rules written by people have three levels.
REFERENCES_DEEP_MAX = 8  # The length of a chain of references from tribe to tribe. 8 x 16 levels still fit the stack.
NODES_REACHED_MAX = 5_000  # Nodes of a rule and of its references, counted once per reference. They take a millisecond.
RULE_BYTES_MAX = 262_144  # A thousand nodes with the longest tags.
VARIABLES_PER_EXAMINATION_MAX = 16  # 65,536 combinations are the bits of one number. A node of a rule takes 2 us.
TTL_DAYS_MAX = 3_650  # Ten years. A tag that must last longer needs no expiry.
RETENTION_DAYS_MIN = 1  # A user notices a mistake within a day, and can undo it.
RETENTION_DAYS_MAX = 36_500  # A hundred years. To keep history longer, set no retention.
ALIAS_HOPS_MAX = 16  # A path that was renamed more often is refused.
LINE_BYTES_MAX = 1_048_576  # A longer line is rejected alone. It is never in memory completely.
NEAREST_TAGS_MAX = 3  # Suggestions for an unknown tag.
EVENT_ID_DAYS = 7  # Client libraries send an event again for hours, and phones after a weekend without a network.
EVENT_BYTES_MAX = 32_768  # The properties of one event, as JSON. Segment has the same limit for a message.
CHARACTERS_PER_EVENT_ID_MAX = 256  # Message ids of the client libraries that we know have 36 to 60 characters.
EVENT_TYPES_MAX = 10_000  # The event types of an environment. An app that sends more puts values into its names.
EVENT_DAYS_MAX = 366  # The longest window of an event node: a year and a day.
CONDITIONS_PER_EVENT_MAX = 16  # Conditions on the properties of one event. People write three.
CHARACTERS_PER_EMAIL_MAX = 254  # RFC 5321 allows no longer address.
COLUMNS_PER_MAPPING_MAX = 1_000  # The widest table of the CRMs that we know has some hundred columns.
URL_CHARACTERS_MAX = 2_048  # The address of a fetched file. Browsers and proxies accept addresses of this length.
