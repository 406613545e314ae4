"""The pure half of a worker: makes its requests and handles the answers, without I/O.

Its counterpart is `asha_bus.core.experiment.Experiment`; tests connect the two by a
simulated network. `executor/client.py` sends its messages over a socket, and
`executor/runner.py` runs the objective.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from asha_bus.core import messages as m
from asha_bus.core.attempt import Attempt
from asha_bus.core.curve import MAX_NAMES
from asha_bus.core.errors import LocalProtocolError, ObjectiveError
from asha_bus.core.schedulers.base import reached
from asha_bus.core.trials import is_better, is_target

#: Seconds until an unanswered request is repeated: at first, and at most after doubling.
RETRY_FIRST_S = 0.5
RETRY_LAST_S = 2.0

#: Reports between two rungs are sent in batches: the shortest interval in seconds, and
#: the most reports in one batch.
TELEMETRY_EVERY_S = 0.2
TELEMETRY_MOST = 500

#: The most characters of a traceback; a longer one loses its middle.
MAX_ERROR_CHARS = 16_000


def cut(text: str, most: int = MAX_ERROR_CHARS) -> str:
    """``text`` without its middle if it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    left_out = f"\n... {len(text) - most} characters left out ...\n"
    return text[: most // 2] + left_out + text[-(most // 2) :]


def _numeric(extras: Sequence[m.Extras]) -> dict[str, tuple[float | None, ...]]:
    """The values of the first numeric extras, by name; None where one is missing."""
    names = dict.fromkeys(
        name for one in extras for name, value in one.items() if type(value) in (int, float)
    )
    return {
        name: tuple(
            value if type(value := one.get(name)) in (int, float) else None for one in extras
        )
        for name in list(names)[:MAX_NAMES]
    }


class Worker:
    """The state of one worker. Times are seconds on any monotonic clock.

    A method that makes a request returns it, and the caller sends it. The caller passes
    each message from the bus to `receive`. No other request may be made until `receive`
    has returned the answer.
    """

    def __init__(self, *, run: str, slot: str, host: str, pid: int, now: float) -> None:
        self._run = run
        self._slot = slot
        self._host = host
        self._pid = pid
        self._seq = 0
        self._outstanding: m.Request | None = None
        self._idle_s = 0.0
        self._idle_since: float | None = now
        #: Reports between rungs that are to be sent: every n-th one and the last one, how many
        #: they stand for, n, and whether the last one stays only until the next one comes.
        self._reports: list[tuple[float, float, m.Extras]] = []
        self._count = 0
        self._stride = 1
        self._is_spare = False
        self._telemetry_due = now
        self.mode = "min"
        self.stop_at: float | None = None
        #: Seconds between two heartbeats; None before `Welcome`, which says it.
        self.heartbeat_s: float | None = None
        self.trial_timeout_s: float | None = None
        self.repeats = 1
        self.attempt: Attempt | None = None
        #: The trial that came with the last answer and has not started yet.
        self.upcoming: m.Assignment | None = None
        #: The attempts that have paused, by trial, in the order in which they did.
        self.residents: dict[int, Attempt] = {}
        #: Attempts that had paused and are to be ended.
        self.drops: list[Attempt] = []
        #: Trials that are to be saved before they are dropped; the bus waits for a word of each.
        self.saves: list[int] = []
        #: Trials whose states, if they were saved here, are not needed any more.
        self.unneeded: list[int] = []
        #: The reason in `Done`; None: there may be more trials.
        self.done: str | None = None
        #: Whether the next report must be a request at any resource: the run is ending.
        self.must_ask = False
        #: The attempt whose next report must be a request; it may not have begun yet.
        self._asked: m.Ask | None = None
        #: Why this worker ends by itself and takes no other trial; None: it does not.
        self.leaving: str | None = None

    # --- requests ------------------------------------------------------------

    def _ask(self, request: m.Request) -> m.Request:
        if self._outstanding is not None:
            raise LocalProtocolError(f"a request is still unanswered: {self._outstanding}")
        self._outstanding = request
        return request

    @property
    def outstanding(self) -> m.Request | None:
        """The request whose answer is still to be handled."""
        return self._outstanding

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def hello(self) -> m.Request:
        """Make the request to join the run."""
        return self._ask(m.Hello(self._next_seq(), self._run, self._slot, self._host, self._pid))

    def next(self, now: float) -> m.Request:
        """Make the request for a trial."""
        return self._ask(m.Next(self._next_seq(), self._idle(now)))

    def ping(self) -> m.Request:
        """Make the request after whose answer one-way messages are not lost on a dead bus."""
        return self._ask(m.Ping(self._next_seq()))

    def saved(self, trial: int, attempt: int) -> m.Request:
        """Make the request that says which attempt at ``trial`` was saved; 0: none was."""
        return self._ask(m.Saved(self._next_seq(), trial, attempt))

    def begin(self) -> Attempt:
        """Start the trial that came with the last answer, or resume it if it has paused here.

        An attempt that was resumed has ``is_paused`` set, until the caller clears it.
        """
        if self.upcoming is None or self.attempt is not None:
            raise LocalProtocolError("there is no trial to begin")
        resident = self.residents.pop(self.upcoming.trial, None)
        if resident is not None and resident.assignment.attempt != self.upcoming.attempt:
            self.drops.append(resident)
            resident = None
        self.attempt = resident or Attempt(self.upcoming)
        self.attempt.next_resource = self.upcoming.next_resource
        self.upcoming = None
        return self.attempt

    def park(self) -> None:
        """Keep the current trial, which the bus told to pause, unless it is to be dropped."""
        attempt = self._attempt()
        if not attempt.is_paused:
            raise LocalProtocolError("the trial was not told to pause")
        self._taken()
        if attempt.is_dropped:
            self.drops.append(attempt)
        else:
            self.residents[attempt.assignment.trial] = attempt
        self.attempt = None

    def drop(self, trials: Iterable[int]) -> m.Dropped:
        """Give up residents, for lack of memory; return what to tell the bus."""
        numbers = tuple(trials)
        self._drop(numbers)
        return m.Dropped(numbers)

    def _drop(self, trials: Iterable[int]) -> None:
        for number in trials:
            resident = self.residents.pop(number, None)
            if resident is None:
                self.unneeded.append(number)
            else:
                self.drops.append(resident)

    def report(
        self,
        metric: float,
        resource: float | None,
        extras: m.Extras,
        now: float,
        *,
        is_end: bool = False,
    ) -> m.Request | None:
        """Record a report of the current trial; return a request if the bus must decide.

        ``resource`` None means the last resource + 1. A given one is counted as
        `Attempt.counted` says; a report at the same one as the last is ignored. ``is_end``:
        the objective has ended with this report, so no decision is needed.
        Raises `ObjectiveError` if ``resource`` is smaller than the last one or below 0.
        """
        attempt = self._attempt()
        if attempt.stopped is not None:
            return None
        if resource is None:
            counted = attempt.resource + 1
        elif not (resource >= 0 and math.isfinite(resource)):
            raise ObjectiveError(
                f"report(resource={resource!r}): a resource is a finite number, and not below 0"
            )
        else:
            counted = attempt.counted(resource)
            if counted == attempt.resource:
                return None
            if counted < attempt.resource:
                last = attempt.resource - 1 if attempt.is_from_zero else attempt.resource
                raise ObjectiveError(
                    f"report(resource={resource!r}) after resource {last!r}: the resource of a "
                    f"trial must grow; leave it out to have reports counted"
                )
            if attempt.metric is None:
                attempt.is_from_zero = resource == 0
        attempt.resource = counted
        attempt.metric = metric
        attempt.extras = extras
        if is_better(metric, attempt.best_metric, self.mode):
            attempt.best_metric, attempt.best_resource = metric, counted
        if is_end:
            return None
        level = attempt.next_resource
        hits = is_target(metric, self.stop_at, self.mode)
        is_asked = self._asked == attempt.assignment[:2]
        if is_asked or self.must_ask or hits or (level and reached(counted, level)):
            if is_asked:  # not when an answer comes, which may have been sent before
                self._asked = None
            return self._ask(
                m.Report(
                    self._next_seq(),
                    attempt.assignment.trial,
                    attempt.assignment.attempt,
                    counted,
                    metric,
                    attempt.best_metric,
                    extras,
                    self._idle(now),
                    attempt.best_resource,
                    attempt.new_names(),
                )
            )
        self._put(counted, metric, extras)
        return None

    def _put(self, resource: float, metric: float, extras: m.Extras) -> None:
        if self._is_spare:
            self._reports.pop()
        self._is_spare = self._count % self._stride != 0
        self._count += 1
        self._reports.append((resource, metric, extras))
        if len(self._reports) > TELEMETRY_MOST:  # an odd number, so the last one stays
            del self._reports[1::2]
            self._stride *= 2

    def end(self, outcome: str, error: str | None, now: float) -> m.Request:
        """Make the request that ends the current trial and asks for the next one."""
        attempt = self._attempt()
        return self._ask(
            m.End(
                self._next_seq(),
                attempt.assignment.trial,
                attempt.assignment.attempt,
                attempt.resource,
                attempt.metric,
                attempt.best_metric,
                attempt.extras,
                outcome,
                None if error is None else cut(error),
                self._idle(now),
                attempt.best_resource,
                attempt.new_names(),
            )
        )

    def draw(self, name: str, distribution: str) -> m.Request:
        """Make the request for the value of a parameter of the current trial."""
        assignment = self._attempt().assignment
        return self._ask(
            m.Draw(self._next_seq(), assignment.trial, assignment.attempt, name, distribution)
        )

    def note(self, metric: float, resource: float, extras: m.Extras, now: float) -> None:
        """Record a report of the current trial on which nobody decides."""
        attempt = self._attempt()
        if attempt.stopped is None:
            self.report(metric, resource, extras, now, is_end=True)
            self._put(attempt.resource, metric, extras)

    def conclude(self, metric: float, extras: m.Extras) -> None:
        """Note the final metric of the current trial; it takes no more resource than the last."""
        attempt = self._attempt()
        attempt.resource = attempt.resource or 1
        attempt.metric, attempt.extras = metric, extras
        if is_better(metric, attempt.best_metric, self.mode):
            attempt.best_metric, attempt.best_resource = metric, attempt.resource

    def abandon(self) -> None:
        """Drop the current trial, which the bus stopped and whose objective has now ended."""
        if self._attempt().stopped is None:
            raise LocalProtocolError("the trial was not stopped: its end must be told")
        self._taken()
        self.attempt = None

    def telemetry(self, now: float) -> m.Reports | None:
        """The next batch of reports, or None if there are none or the batch is not due yet."""
        return self._batch(now) if self._reports and now >= self._telemetry_due else None

    def last_telemetry(self, now: float) -> m.Reports | None:
        """The last batch of reports of the current trial, whose objective has ended."""
        return self._batch(now) if self._reports else None

    def _batch(self, now: float) -> m.Reports:
        attempt = self._attempt()
        count, reports = self._count, self._taken()
        self._telemetry_due = now + TELEMETRY_EVERY_S
        return m.Reports(
            attempt.assignment.trial,
            attempt.assignment.attempt,
            attempt.best_metric,
            count,
            tuple((resource, metric) for resource, metric, _ in reports),
            _numeric([extras for *_, extras in reports]),
            attempt.best_resource,
        )

    def _taken(self) -> list[tuple[float, float, m.Extras]]:
        reports, self._reports = self._reports, []
        self._count, self._stride, self._is_spare = 0, 1, False
        return reports

    # --- answers -------------------------------------------------------------

    def receive(self, message: m.ToWorker) -> m.Reply | None:
        """Handle a message from the bus; return it if it answers the request, else None."""
        request = self._outstanding
        if isinstance(message, m.Ask):
            self._asked = message
            return None
        if isinstance(message, m.Interrupt) or request is None or message.seq != request.seq:
            return None  # a repeated answer to an earlier request
        if isinstance(message, m.Wait):
            self._drop(message.drops)
            return None  # the answer is still to come
        if isinstance(message, m.Welcome):
            self.mode, self.stop_at, self.heartbeat_s = (
                message.mode,
                message.stop_at,
                message.heartbeat_s,
            )
            self.trial_timeout_s, self.repeats = message.trial_timeout_s, message.repeats
        elif isinstance(message, m.Assign):
            self._drop(message.drops)
            self._set_upcoming(message.assignment)
        elif isinstance(message, m.Continue):
            self._drop(message.drops)
            self._attempt().next_resource = message.next_resource
        elif isinstance(message, m.Stop):
            self._drop(message.drops)
            self._attempt().stopped = message.why
            self._set_upcoming(message.next)
        elif isinstance(message, m.Pause):
            self.saves += message.saves
            self._drop(message.drops)
            attempt = self._attempt()
            attempt.is_paused = True
            attempt.is_dropped = attempt.assignment.trial in message.drops
            self._set_upcoming(message.next)
        elif isinstance(message, m.Drawn):
            self._attempt().drawn = message
        elif isinstance(message, m.Done):
            self._set_upcoming(None)
            self._drop(list(self.residents))
            self.done = message.reason
        # last: an exception that strikes in here (a signal's) has the answer asked for again
        self._outstanding = None
        return message

    def _set_upcoming(self, assignment: m.Assignment | None) -> None:
        attempt = self.attempt
        if attempt is not None and attempt.stopped is None and not attempt.is_paused:
            self._taken()
            self.attempt = None  # the bus has acknowledged its end
        self.upcoming = assignment

    # --- time ----------------------------------------------------------------

    def enter_objective(self, now: float) -> None:
        """Note that the user's code starts or continues."""
        if self.attempt is not None and self.attempt.began is None:
            self.attempt.began = now
        if self._idle_since is not None:
            self._idle_s += now - self._idle_since
            self._idle_since = None

    def leave_objective(self, now: float) -> None:
        """Note that the user's code has paused or ended."""
        self._idle_since = now

    def _idle(self, now: float) -> float:
        """Seconds spent outside objectives since the worker joined."""
        since = self._idle_since
        return self._idle_s if since is None else self._idle_s + now - since

    def _attempt(self) -> Attempt:
        if self.attempt is None:
            raise LocalProtocolError("this worker holds no trial")
        return self.attempt
