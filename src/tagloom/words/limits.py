"""Limits of words: tags, people, rules, lines and mappings, each with its unit and its reason."""

LEVELS_PER_TAG_MAX = 3  # The console's tree, and every CRM we read, needs no more.
CHARACTERS_PER_LEVEL_MAX = 64  # Fits a chip; longer names are descriptions.
CHARACTERS_PER_ID_MAX = 256  # The longest key of the identity providers we know is 255.
NODES_PER_RULE_MAX = 1_000  # A rule of a thousand filters still counts in well under a second.
LEVELS_PER_RULE_MAX = 16  # Recursion stays shallow; people nest three deep.
REFERENCES_DEEP_MAX = 8  # A tribe that names a tribe that names a tribe …: 8 x 16 levels still fit the stack.
NODES_REACHED_MAX = 5_000  # Nodes with those of all tribes referred to, again for each reference: a millisecond.
RULE_BYTES_MAX = 262_144  # A thousand nodes with the longest tags.
VARIABLES_PER_EXAMINATION_MAX = 16  # 65,536 combinations as bits of one number: about 2 us a node of the rule.
TTL_DAYS_MAX = 3_650  # Ten years: what is to last longer has no end.
RETENTION_DAYS_MIN = 1  # Who makes a mistake finds it within a day, and can undo it.
RETENTION_DAYS_MAX = 36_500  # A hundred years; what is to be kept longer has no retention.
ALIAS_HOPS_MAX = 16  # A path that was renamed more often than this is refused, not chased.
LINE_BYTES_MAX = 1_048_576  # A longer line is rejected alone, and never held whole in memory.
NEAREST_TAGS_MAX = 3  # Suggestions for an unknown tag.
CHARACTERS_PER_EMAIL_MAX = 254  # RFC 5321 lets no path be longer.
COLUMNS_PER_MAPPING_MAX = 1_000  # The widest table of the CRMs we read has some hundreds.
URL_CHARACTERS_MAX = 2_048  # Of an address that a file is fetched from; what browsers and proxies take, too.
