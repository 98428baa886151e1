"""Limits of the console, each with its unit and its reason."""

FORM_BYTES_MAX = 1_048_576  # The largest rule as a form; files come another way.
UPLOAD_BYTES_MAX = 2_147_483_648  # A file by the browser, 2 GiB; larger ones come by the API or the command line.
TICKET_SECONDS_MAX = 600  # A sign-in at the provider that takes longer is begun again.
FORM_FIELDS_MAX = 11_000  # Ten fields for each column of the widest file, and the rest.
