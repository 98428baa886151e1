"""Problems of deliveries."""

from tagloom.base.problems import Problem


class DeliveryInvalid(Problem):
    """The definition of the delivery is invalid."""

    status = 422


class DeliveryBusy(Problem):
    """A run of this delivery has not ended."""

    status = 409
