"""Limits of the console, each with its unit and its reason."""

FORM_BYTES_MAX = 1_048_576  # The form of the largest rule. Files have their own limit.
UPLOAD_BYTES_MAX = 2_147_483_648  # A file from a browser, 2 GiB. Larger files use the API or the command line.
TICKET_SECONDS_MAX = 600  # A longer sign-in at the identity provider must start again.
FORM_FIELDS_MAX = 11_000  # Ten fields for each column of the widest file, and some more.
