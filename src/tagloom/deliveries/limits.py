"""Limits of deliveries, each with its unit and its reason."""

EVENT_NAMES_PER_DELIVERY_MAX = 100  # Types and categories of one delivery. Each event is compared with all of them.
DELIVERY_SECONDS_BETWEEN_POLLS = 2  # How often a process checks for deliveries that are due, and renews its leases.
DELIVERY_HELD_SECONDS = 60  # If a process does not renew its lease for this time, another process takes the run.
DELIVERIES_AT_ONCE_MAX = 4  # Runs that one process works on at the same moment. Further runs wait.
DELIVERIES_PER_ORGANIZATION_MAX = 2  # Runs of one organization among these. The rest is for other organizations.
DELIVERY_STEP_EVENTS_MAX = 1_000_000  # Events of one step, about 35 MB as Parquet. A crash repeats one step.
DELIVERY_STEP_BYTES_MAX = 268_435_456  # Properties of the events of one step. They wait in a temporary file.
DELIVERY_TRIES_MAX = 6  # Tries of a run, within 31 minutes. Then the run has failed, and an alert is sent.
DELIVERY_RETRY_SECONDS = 60  # The time before the second try. It doubles with each further try.
DELIVERY_PARTS_SHOWN_MAX = 100  # Parts that are listed with a run. All parts are at the destination.
