"""What a command logs that serves nothing."""

import logging
import sys

import structlog


def log_troubles() -> None:
    """Logs warnings and errors to standard error, unless logging is configured already."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        )
