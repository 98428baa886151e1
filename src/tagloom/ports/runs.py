"""What the stores of syncs and of deliveries return: definitions that are due, and runs that have not ended."""

from typing import Generic, NamedTuple, TypeVar

Definition = TypeVar("Definition")
Run = TypeVar("Run")


class Due(NamedTuple, Generic[Definition]):
    """A sync or a delivery that is due, and its environment."""

    space: str
    environment: str
    definition: Definition


class OpenRun(NamedTuple, Generic[Run]):
    """A run that has not ended. Until `held_until`, the run is leased to a process. After that, it is free."""

    space: str
    environment: str
    run: Run
    held_until: str
