"""What a run does about Spark's task slots, which come and go while it runs."""

from __future__ import annotations

import logging

from asha_bus.driver.spark_slots import POLL_S, Supply

logger = logging.getLogger("asha_bus")

#: A job of somebody else that waits for so long is starved by a run that has all slots.
STARVED_S = 5.0
#: Workers whose slots are gone for so long are released; Spark replaces dead executors before.
GONE_S = 10.0


class SlotsWatch:
    """Decides how many workers to start or to release, and says once what is amiss.

    ``wanted``: the user's number of workers; None: as many as fit. ``is_fixed``: the number of
    slots cannot change. ``timeout_s``: `BusOptions.slots_timeout_s`.
    """

    def __init__(
        self, name: str, supply: Supply, wanted: int | None, timeout_s: float, *, is_fixed: bool
    ) -> None:
        self._name, self._supply, self._wanted = name, supply, wanted
        self._timeout_s = timeout_s
        self._is_fixed = is_fixed
        self._waited_s = self._starved_s = self._gone_s = 0.0
        self._says_missing = self._says_starved = True

    def expected(self, workers: int) -> int:
        """How many workers the run will have that has started ``workers``."""
        return self._supply.expected(self._wanted, workers)

    def poll(self, slots: int, workers: int, others: int) -> int:
        """How many workers to start now; below 0: how many to release.

        Called every `POLL_S` seconds, with the number of ``slots``, of ``workers`` that were
        started, and of jobs of ``others`` in the session.
        """
        self._warn_of_missing(slots, self.expected(workers))
        self._warn_of_starved(slots, is_starved=others > 0 and workers >= slots > 0)
        if self._is_fixed:
            return 0
        if more := self._supply.more(self._wanted, workers, slots):
            logger.info("%s: takes up %d more task slots of Spark", self._name, more)
            return more
        # executors are started for tasks that wait, where Spark does that
        surplus = 0 if self._supply.on_demand else workers - max(slots, 1)
        self._gone_s = self._gone_s + POLL_S if surplus > 0 else 0.0
        return -surplus if self._gone_s >= GONE_S else 0

    def _warn_of_missing(self, slots: int, expected: int) -> None:
        self._waited_s += POLL_S
        if not self._says_missing or self._waited_s < self._timeout_s:
            return
        self._says_missing = False
        if slots < expected:
            logger.warning(
                "%s: after %g s Spark has %d of the %d task slots that the run waits for. The run "
                "continues with these, and takes up others as they come. Check that executors are "
                "running, lower workers, or be patient: BusOptions(slots_timeout_s=...)",
                self._name,
                self._timeout_s,
                slots,
                expected,
            )

    def _warn_of_starved(self, slots: int, *, is_starved: bool) -> None:
        self._starved_s = self._starved_s + POLL_S if is_starved else 0.0
        if self._says_starved and self._starved_s >= STARVED_S:
            self._says_starved = False
            logger.warning(
                "%s: other jobs of this session wait, since the run keeps all %d task slots until "
                "it ends. To leave some, pass workers=%d, for instance; docs/clusters.md says more",
                self._name,
                slots,
                max(slots - 1, 1),
            )
