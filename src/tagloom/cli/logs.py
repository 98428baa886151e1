"""What a command logs that serves nothing."""

import logging
import sys

import structlog

from tagloom.base.tracebacks import without_values


def log_troubles() -> None:
    """Logs of a command that serves nothing: what went wrong, to standard error, unless somebody said otherwise.

    Errors are told by the places they came from: who runs a command pastes into a ticket what it prints.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                without_values,
                structlog.dev.ConsoleRenderer(colors=False),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
