"""One attempt at a trial, as the worker that runs it knows it."""

from __future__ import annotations

from typing import NamedTuple

from asha_bus.core import messages as m


class Progress(NamedTuple):
    """How far an attempt was when its state was saved."""

    resource: float
    metric: float | None
    best_metric: float | None
    best_resource: float | None
    extras: m.Extras
    is_from_zero: bool


class Attempt:
    """The attempt that a worker is running."""

    def __init__(self, assignment: m.Assignment) -> None:
        self.assignment = assignment
        self.next_resource = assignment.next_resource
        self.resource: float = 0
        self.metric: float | None = None
        self.best_metric: float | None = None
        self.best_resource: float | None = None
        self.extras: m.Extras = {}
        #: The values that the objective has asked for by name, and how many the bus knows.
        self.named: list[m.Named] = []
        self.named_told = 0
        #: What the bus has answered last to a request for a value.
        self.drawn: m.Drawn | None = None
        #: Why the bus stopped it (`Stop.why`); None: it continues.
        self.stopped: str | None = None
        #: Whether its first report was at 0, so that it counts its steps from there.
        self.is_from_zero = False
        self.warned = False
        #: When its objective started; None: not yet.
        self.began: float | None = None
        #: Whether the bus has told it to pause; it is over, or resumed later.
        self.is_paused = False
        #: Whether the bus has told at the same time that it need not be kept.
        self.is_dropped = False
        #: Whether a saved state is still to be loaded.
        self.must_load = assignment.saved > 0

    def new_names(self) -> tuple[m.Named, ...]:
        """All values asked for by name, if there are some that the bus does not know."""
        if len(self.named) == self.named_told:
            return ()
        self.named_told = len(self.named)
        return tuple(self.named)

    @property
    def progress(self) -> Progress:
        """What must be saved beside its state."""
        best = (self.best_metric, self.best_resource)
        return Progress(self.resource, self.metric, *best, self.extras, self.is_from_zero)

    def restore(self, progress: Progress) -> None:
        """Continue from a state that was saved with ``progress``."""
        self.resource, self.metric = progress.resource, progress.metric
        self.best_metric, self.best_resource = progress.best_metric, progress.best_resource
        self.extras, self.is_from_zero = progress.extras, progress.is_from_zero
        self.must_load = False

    def counted(self, given: float) -> float:
        """The resource spent after a report at ``given``.

        If the first report is at 0, step 0 is the first unit of resource, and each step counts
        as one more than its number.
        """
        begins_at_zero = given == 0 and self.metric is None
        return given + 1 if self.is_from_zero or begins_at_zero else given
