"""Problems of syncs."""

from tagloom.base.problems import Problem


class SyncInvalid(Problem):
    """This is not a sync that could run."""

    status = 422


class SyncBusy(Problem):
    """A run of this sync has not ended."""

    status = 409
