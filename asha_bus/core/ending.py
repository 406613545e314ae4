"""The end of a run: why it ends, how objectives are stopped, and when waiting ends."""

from __future__ import annotations

from asha_bus.core.events import RunSettings, StopRun
from asha_bus.core.messages import Interrupt
from asha_bus.core.suggestions import SuggestionQueue
from asha_bus.core.trial import FAILED, LOST, PAUSED, Trial
from asha_bus.core.trials import TrialTable

#: Seconds from the message to the interrupt, and to the exit of the process: at the end
#: of max_time, when a trial may still reach its next report, and at a stop.
AT_MAX_TIME = Interrupt(2.0, 5.0)
AT_STOP = Interrupt(0.5, 1.5)
#: Seconds to wait for a worker's last message after its process should have exited.
LAST_WORD_S = 0.5
#: Without max_failures, a run ends when this many trials have ended and all failed: the
#: others would fail in the same way.
FIRST_FAILURES = 5


class Ending:
    """What is decided about the end. Times are seconds on the run's clock."""

    def __init__(self, started: float, max_time_s: float | None) -> None:
        self._max_time_end = None if max_time_s is None else started + max_time_s
        #: Why the run ends; None: it continues.
        self.stop: StopRun | None = None
        self.interrupt = AT_MAX_TIME
        #: Trials that still run then are cancelled.
        self.grace_ends_at: float | None = None

    @property
    def due(self) -> float | None:
        """When ``max_time`` ends the run; None: it does not, or the run is already ending."""
        return self._max_time_end if self.stop is None else None

    def begin(self, stop: StopRun, interrupt: Interrupt, now: float) -> bool:
        """Begin the end; a later call may only shorten it. False if this one changes nothing."""
        if self.stop is None:
            self.stop = stop
        elif interrupt.exit_s >= self.interrupt.exit_s:
            return False
        self.interrupt = interrupt
        grace_ends_at = now + interrupt.exit_s + LAST_WORD_S
        if self.grace_ends_at is None or grace_ends_at < self.grace_ends_at:
            self.grace_ends_at = grace_ends_at
        return True


def reason_to_end(
    settings: RunSettings, table: TrialTable, suggestions: SuggestionQueue
) -> StopRun | None:
    """Why the trials that have ended end the run now; None: they do not."""
    limit = suggestions.limit
    failed = table.failed
    most = 0 if settings.fail_fast else settings.max_failures
    if most is not None and failed > most:
        return _too_many_failures(settings, table)
    if limit is not None and table.finished >= limit:
        return StopRun("exhausted" if suggestions.is_exhausted else settings.limit_reason)
    has_good = table.states[PAUSED] > 0  # it has reported
    if most is None and not has_good and table.finished == failed >= FIRST_FAILURES:
        first = _first_failure(table)
        head = (
            f"the first {failed} trials that ended all failed, beginning with trial {first.id}; "
            f"pass max_failures to continue in spite of failures"
        )
        return StopRun("failed", f"{head}:\n{first.error}")
    return None


def _too_many_failures(settings: RunSettings, table: TrialTable) -> StopRun:
    first = _first_failure(table)
    if settings.fail_fast:
        head = f"trial {first.id} failed, which ends the run since fail_fast=True"
    else:
        head = (
            f"{table.failed} trials failed or were lost, more than max_failures="
            f"{settings.max_failures}; the first was trial {first.id}"
        )
    return StopRun("failed", f"{head}:\n{first.error}")


def _first_failure(table: TrialTable) -> Trial:
    failures = [t for t in table.trials if t.state in (FAILED, LOST)]
    return min(failures, key=lambda trial: trial.end_time or 0)
