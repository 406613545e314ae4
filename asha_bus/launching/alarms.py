"""What a run must say of itself while it goes on, and at its end, whatever shows it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from asha_bus.core.checks import shown_params
from asha_bus.core.failures import MAX_KINDS, gist
from asha_bus.core.log import LogLine
from asha_bus.core.running import RunningTime
from asha_bus.core.schedulers import NoStopping
from asha_bus.core.status import Status
from asha_bus.core.trial import FINAL, TrialRow, TrialState
from asha_bus.formats.named import is_by_name
from asha_bus.launching.plan import Plan
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import shape_of
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import AllTrialsFailed, Result
from asha_bus.results.summary import counted_failures
from asha_bus.results.warnings import is_unjudged, judged_nothing, no_usable_metric

#: After this time without any worker, the log says what the run waits for.
NO_WORKER_S = 15.0
#: After this many completed trials of which none reached a rung, the log says so, and after this
#: many that succeeded without a usable metric.
_ENOUGH = 5

_SUCCEEDED = (TrialState.COMPLETED, TrialState.STOPPED)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}

#: Where nobody succeeded, the ends that somebody asked for are no failure of the run.
_ASKED_FOR = ("stopped", "stop_run", "max_time", "max_total_resource")


class Alarms:
    """The warnings of one launch, each given once.

    ``engine``: describes the workers. ``rows``: the rows of some trials from a number on.
    """

    def __init__(
        self,
        plan: Plan,
        logger: logging.Logger,
        engine: Callable[[], str],
        rows: Callable[[int], Sequence[TrialRow]],
    ) -> None:
        self._plan = plan
        self._logger = logger
        self._engine = engine
        self._rows = rows
        self._running = RunningTime(time.monotonic())
        self._waits = True
        self._kinds = 0
        self._is_usable = False
        #: Whether there is nothing to say: of an objective that returns once the plan has warned.
        returns_once = shape_of(plan.given.objective) is Shape.FUNCTION
        self._is_judged = isinstance(plan.settings.scheduler, NoStopping) or returns_once

    def tell(self, line: LogLine) -> None:
        """Log ``line`` of a trial; of warnings it is the first one of its kind."""
        text = line.text.rstrip()
        if line.level == "warning":
            text += "\n" if "\n" in text else " "
            text += "(others of this kind are not logged; Result.warnings counts them)"
        self._logger.log(_LEVELS[line.level], "trial %d: %s", line.trial, text)

    def check(self, status: Status) -> None:
        """Warn of what ``status`` shows for the first time."""
        if self._waits:
            self._check_workers(status)
        self._check_failures(status, self._fetched)
        if not self._is_judged and status.states[TrialState.COMPLETED] >= _ENOUGH:
            self._check_rungs(status)
        self._is_usable = self._is_usable or status.leader is not None
        if not self._is_usable and sum(status.states[s] for s in _SUCCEEDED) >= _ENOUGH:
            records = [TrialRecord.from_row(row, self._plan.space) for row in self._rows(0)]
            self._tell_unusable([record for record in records if record.state in FINAL])

    def at_end(self, status: Status, result: Result) -> None:
        """Warn of what is wrong with ``result``; AllTrialsFailed if none of its trials succeeded.

        A run that was ended by the user, ``max_time`` or a budget is only warned of.
        """
        self._check_failures(status, lambda number: result.trials[number])
        if not self._is_judged and status.states[TrialState.COMPLETED]:
            self._check_rungs(status)
        if not self._is_usable and result.best is None and not _is_fruitless(result):
            self._tell_unusable(result.trials)
        for repeated in status.warnings:
            if repeated.times > 1:
                self._logger.warning("%s", repeated)
        self.check_end(result)

    def check_end(self, result: Result) -> None:
        """The same by ``result`` alone, which may be partial."""
        if result.failures and _is_fruitless(result):
            text = _with_first_error("no trial succeeded", result)
            self._logger.warning("the run ended by %s, and %s", result.reason, text)
            if result.reason not in _ASKED_FOR:
                raise AllTrialsFailed(text, result)
        elif result.reason == "failed":
            self._logger.warning("%s", _with_first_error("the run ended by failed", result))

    def _check_workers(self, status: Status) -> None:
        waited_s = self._running.tick(time.monotonic())
        if status.joined_now:
            self._waits = False
        elif waited_s > NO_WORKER_S:
            self._waits = False
            self._logger.warning(
                "no worker has joined for %.0f s; are there free slots for %s?",
                waited_s,
                self._engine(),
            )

    def _check_failures(self, status: Status, find: Callable[[int], TrialRecord]) -> None:
        for number in status.failures[self._kinds :]:
            self._kinds += 1
            trial = find(number)
            self._logger.warning(
                "trial %d: %s: %s; its params are %s. Other failures of this kind are not logged; "
                "Result.failures will have them%s",
                number,
                trial.state,
                gist(trial.error),
                shown_params(trial.params),
                "" if self._kinds < MAX_KINDS else ", and those of further kinds",
            )

    def _fetched(self, number: int) -> TrialRecord:
        return TrialRecord.from_row(self._rows(number)[0], self._plan.space)

    def _check_rungs(self, status: Status) -> None:
        self._is_judged = True
        scheduler = self._plan.settings.scheduler
        completed = status.states[TrialState.COMPLETED]
        entered = any(rung.entries for rung in status.rungs) or is_by_name(self._plan.space)
        if is_unjudged(scheduler, completed, status.counters.decisions, entered=entered):
            reached = 0.0 if status.leader is None else status.leader.resource
            self._logger.warning("%s", judged_nothing(scheduler, completed, reached))

    def _tell_unusable(self, trials: Sequence[TrialRecord]) -> None:
        self._is_usable = True  # nothing more to say
        self._logger.warning("%s", no_usable_metric(trials))


def _is_fruitless(result: Result) -> bool:
    return not any(trial.state in _SUCCEEDED for trial in result.trials)


def _with_first_error(head: str, result: Result) -> str:
    """``head`` with the run's message, the counts of failures and the first traceback."""
    failures, message = result.failures, result.message
    if not failures:
        return f"{head}: {message}"
    first = failures[0]
    if first.error and first.error in message:  # which has it at its end
        message = message.partition("\n")[0].rstrip(":")
    why = f" ({message})" if message else ""
    return (
        f"{head}{why}: {counted_failures(result)} of {len(result.trials)} trials; the first was "
        f"trial {first.id} with params {shown_params(first.params)}:\n{first.error}"
    )
