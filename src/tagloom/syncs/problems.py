"""Problems of syncs."""

from tagloom.base.problems import Problem


class SyncInvalid(Problem):
    """The definition of the sync is invalid."""

    status = 422


class SyncBusy(Problem):
    """A run of this sync has not ended."""

    status = 409
