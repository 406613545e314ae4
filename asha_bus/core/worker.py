"""The pure half of a worker: what it asks, when it asks again, what it makes of answers.

Together with `asha_bus.core.experiment.Experiment` it is a pair that tests link by
a fake network. `executor/client.py` puts a socket under it, and
`executor/runner.py` an objective above.
"""

from __future__ import annotations

import math

from asha_bus.core import messages as m
from asha_bus.core.errors import LocalProtocolError, ObjectiveError
from asha_bus.core.schedulers.base import reached
from asha_bus.core.trials import is_better, is_target

#: An unanswered request is repeated after so many seconds, doubling up to the last.
RETRY_FIRST_S = 0.5
RETRY_LAST_S = 2.0

#: Reports between two rungs leave in one message at most this often, and this many.
TELEMETRY_EVERY_S = 0.2
TELEMETRY_MOST = 500

#: A traceback is cut to so many characters: its beginning and its end.
MAX_ERROR_CHARS = 16_000


def cut(text: str, most: int = MAX_ERROR_CHARS) -> str:
    """``text``, its middle left out where it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    left_out = f"\n... {len(text) - most} characters left out ...\n"
    return text[: most // 2] + left_out + text[-(most // 2) :]


class Attempt:
    """The attempt at a trial that a worker holds now."""

    def __init__(self, assignment: m.Assignment) -> None:
        self.assignment = assignment
        self.next_resource = assignment.next_resource
        self.resource: float = 0
        self.metric: float | None = None
        self.best_metric: float | None = None
        self.extras: m.Extras = {}
        #: Why it was told to stop; None: it goes on.
        self.stopped: str | None = None
        self.warned = False
        #: When its objective began; None: it has not.
        self.began: float | None = None


class Worker:
    """The state of one worker. Times are seconds on any monotonic clock.

    A method that makes a request returns it to be sent; `receive` takes what comes
    back, and until it returned the answer no other request may be made.
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
        self._telemetry: list[tuple[float, float]] = []
        self._telemetry_due = now
        self.mode = "min"
        self.stop_at: float | None = None
        self.heartbeat_s = 5.0
        self.trial_timeout_s: float | None = None
        self.repeats = 1
        self.attempt: Attempt | None = None
        #: The trial that came with the stop of the last one, not begun yet.
        self.upcoming: m.Assignment | None = None
        #: Why there is nothing left to do; None: there may be.
        self.done: str | None = None
        #: Ask at the next report, whatever its resource: the run is ending.
        self.must_ask = False

    # --- requests ------------------------------------------------------------

    def _ask(self, request: m.Request) -> m.Request:
        if self._outstanding is not None:
            raise LocalProtocolError(f"a request is still unanswered: {self._outstanding}")
        self._outstanding = request
        return request

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def hello(self) -> m.Request:
        """Join the run."""
        return self._ask(m.Hello(self._next_seq(), self._run, self._slot, self._host, self._pid))

    def next(self, now: float) -> m.Request:
        """Ask for a trial."""
        return self._ask(m.Next(self._next_seq(), self._idle(now)))

    def begin(self) -> Attempt:
        """Begin the trial that came with the last answer."""
        if self.upcoming is None or self.attempt is not None:
            raise LocalProtocolError("there is no trial to begin")
        self.attempt = Attempt(self.upcoming)
        self.upcoming = None
        return self.attempt

    def report(
        self,
        metric: float,
        resource: float | None,
        extras: m.Extras,
        now: float,
        *,
        is_end: bool = False,
    ) -> m.Request | None:
        """Take a report of the current trial; a request where the bus must be asked.

        ``resource`` None counts by itself. One that repeats the last is left out,
        and `ObjectiveError` is raised for one that is smaller or not above 0. ``is_end``: the
        trial has ended with it, so there is nothing to ask.
        """
        attempt = self._attempt()
        if attempt.stopped is not None:
            return None
        if resource is None:
            resource = attempt.resource + 1
        elif not (resource > 0 and math.isfinite(resource)):
            raise ObjectiveError(
                f"report(resource={resource!r}): a resource is a finite number above 0"
            )
        elif resource == attempt.resource:
            return None
        elif resource < attempt.resource:
            raise ObjectiveError(
                f"report(resource={resource!r}) after resource {attempt.resource!r}: "
                f"the resource of a trial must grow; leave it out to have reports counted"
            )
        attempt.resource = resource
        attempt.metric = metric
        attempt.extras = extras
        if is_better(metric, attempt.best_metric, self.mode):
            attempt.best_metric = metric
        if is_end:
            return None
        level = attempt.next_resource
        hits = is_target(metric, self.stop_at, self.mode)
        if self.must_ask or hits or (level and reached(resource, level)):
            return self._ask(
                m.Report(
                    self._next_seq(),
                    attempt.assignment.trial,
                    attempt.assignment.attempt,
                    resource,
                    metric,
                    attempt.best_metric,
                    extras,
                    self._idle(now),
                )
            )
        if len(self._telemetry) < TELEMETRY_MOST:
            self._telemetry.append((resource, metric))
        else:  # thinned out: the last one is kept, as it tells where the trial stands
            self._telemetry[-1] = (resource, metric)
        return None

    def end(self, outcome: str, error: str | None, now: float) -> m.Request:
        """Tell that the current trial ended here, and ask for the next one."""
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
            )
        )

    def abandon(self) -> None:
        """The trial that the bus stopped has ended here, too."""
        if self._attempt().stopped is None:
            raise LocalProtocolError("the trial was not stopped: its end must be told")
        self._telemetry.clear()
        self.attempt = None

    def telemetry(self, now: float) -> m.Telemetry | None:
        """The reports to send one way now, if it is time and there are any."""
        return self._batch(now) if self._telemetry and now >= self._telemetry_due else None

    def last_telemetry(self, now: float) -> m.Telemetry | None:
        """The reports still to be sent one way of the current trial, which has ended here.

        Those of a trial that took less time than there is between two batches are left
        out: ever so many short trials must not keep the bus from deciding.
        """
        began = self._attempt().began
        if not self._telemetry or began is None or now - began < TELEMETRY_EVERY_S:
            return None
        return self._batch(now)

    def _batch(self, now: float) -> m.Telemetry:
        attempt = self._attempt()
        reports, self._telemetry = tuple(self._telemetry), []
        self._telemetry_due = now + TELEMETRY_EVERY_S
        assignment = attempt.assignment
        return m.Telemetry(assignment.trial, assignment.attempt, attempt.best_metric, reports)

    # --- answers -------------------------------------------------------------

    def receive(self, message: m.ToWorker) -> m.Reply | None:
        """Take what came from the bus; the answer to the request, or None if it is not that."""
        request = self._outstanding
        if isinstance(message, m.Interrupt) or request is None or message.seq != request.seq:
            return None  # a repeated answer to an earlier request
        if isinstance(message, m.Wait):
            return None  # the answer is still to come
        self._outstanding = None
        if isinstance(message, m.Welcome):
            self.mode, self.stop_at, self.heartbeat_s = (
                message.mode,
                message.stop_at,
                message.heartbeat_s,
            )
            self.trial_timeout_s, self.repeats = message.trial_timeout_s, message.repeats
        elif isinstance(message, m.Assign):
            self._take(message.assignment)
        elif isinstance(message, m.Continue):
            self._attempt().next_resource = message.next_resource
        elif isinstance(message, m.Stop):
            self._attempt().stopped = message.why
            self._take(message.next)
        elif isinstance(message, m.Done):
            self._take(None)
            self.done = message.reason
        return message

    def _take(self, assignment: m.Assignment | None) -> None:
        if self.attempt is not None and self.attempt.stopped is None:
            self._telemetry.clear()
            self.attempt = None  # its end was told and is answered
        self.upcoming = assignment

    # --- time ----------------------------------------------------------------

    def enter_objective(self, now: float) -> None:
        """The user's code runs from now on."""
        if self.attempt is not None and self.attempt.began is None:
            self.attempt.began = now
        if self._idle_since is not None:
            self._idle_s += now - self._idle_since
            self._idle_since = None

    def leave_objective(self, now: float) -> None:
        """The user's code does not run any more."""
        self._idle_since = now

    def _idle(self, now: float) -> float:
        """Seconds outside of objectives since joining."""
        since = self._idle_since
        return self._idle_s if since is None else self._idle_s + now - since

    def _attempt(self) -> Attempt:
        if self.attempt is None:
            raise LocalProtocolError("this worker holds no trial")
        return self.attempt
