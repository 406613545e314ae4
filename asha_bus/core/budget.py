"""The resource that all trials of a run may get together."""

from __future__ import annotations

import sys

#: A resource that every report reaches: a trial that is to ask there asks at each report.
AT_EACH_REPORT = sys.float_info.min
#: Resources summed up from floats may miss the limit by their last digits.
_TOLERANCE = 1e-9


class Budget:
    """Reserves the resource of a trial from one decision to the next before it is granted.

    So all trials never get more than ``limit`` together; None: there is no limit. Without
    rungs it is not known how far a trial goes: it asks at each report then, and each worker
    may exceed the limit by one report.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        #: The resource that trials have got, and what is reserved for those that run.
        self.granted = 0.0
        #: How far each running trial may go.
        self._until: dict[int, float] = {}

    def fits(self, start: float, until: float | None) -> bool:
        """Whether a trial may go from ``start`` to ``until``; None: to its next report."""
        if self.limit is None:
            return True
        left = self.limit - self.granted
        return left > _TOLERANCE if until is None else until - start <= left + _TOLERANCE

    def grant(self, trial: int, start: float, until: float | None) -> bool:
        """The same; reserves that if it fits."""
        if self.limit is None:
            return True
        if not self.fits(start, until):
            return False
        until = start if until is None else max(until, start)
        self.granted += until - start
        self._until[trial] = until
        return True

    def settle(self, trial: int, resource: float) -> None:
        """``trial`` has reported at ``resource``, or ended there: the rest is free again."""
        until = self._until.pop(trial, None)
        if until is not None:
            self.granted += resource - until

    def forfeit(self, trial: int) -> None:
        """``trial`` was lost, nobody knows where: all that was reserved counts."""
        self._until.pop(trial, None)

    def ask_at(self, next_resource: float | None) -> float | None:
        """Where the trial that may go to ``next_resource`` is to ask."""
        return AT_EACH_REPORT if next_resource is None and self.limit is not None else next_resource
