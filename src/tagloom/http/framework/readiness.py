"""The readiness of this process. Every change is logged."""

from collections.abc import Callable

import structlog

from tagloom.base.problems import Problem
from tagloom.http import limits
from tagloom.http.framework.health_checks import HealthCheck
from tagloom.http.problems import Draining

log = structlog.get_logger("tagloom.http")


class Readiness:
    """Checks the database, unless this process drains.

    A process that is not ready is in a normal state, not in error.
    """

    def __init__(self, ask: Callable[[], None], *, is_draining: Callable[[], bool]) -> None:
        self._probe = HealthCheck(ask, limits.HEALTH_CHECK_SECONDS_MAX)
        self._is_draining = is_draining
        self._told: str | None = None

    async def check(self) -> None:
        """Returns if the process accepts new requests. Raises: Draining, SchemaChanged, StoreUnavailable."""
        try:
            if self._is_draining():
                raise Draining("This process ends when the requests under way are answered.", retry_after=1)
            await self._probe.answer()
        except Problem as problem:
            if problem.slug() != self._told:
                self._told = problem.slug()
                log.warning("readiness.lost", problem=self._told, detail=problem.detail)
            raise
        if self._told is not None:
            log.info("readiness.regained", after=self._told)
            self._told = None
