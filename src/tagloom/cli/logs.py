"""The logs of commands other than `serve`."""

import logging
import sys

import structlog

from tagloom.base.tracebacks import without_values


def configure_logs() -> None:
    """Configures the logs to write warnings and errors to standard error, unless the logs are configured already.

    Tracebacks are logged without values of variables, because people paste the output of commands into tickets.
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
