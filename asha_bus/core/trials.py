"""The table of a run's trials, with what is counted along the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from asha_bus.core.errors import LocalProtocolError
from asha_bus.core.failures import MAX_KINDS, Repeated, count_warning, kind
from asha_bus.core.log import LogLine, Place, TrialLog
from asha_bus.core.messages import End, Log, Report, Reports
from asha_bus.core.trial import (
    CANCELLED,
    COMPLETED,
    FAILED,
    FINAL,
    LOST,
    NO_EXTRAS,
    PAUSED,
    PENDING,
    RUNNING,
    STOPPED,
    TRANSITIONS,
    RungRecord,
    Trial,
    TrialState,
    mean_of,
)

#: At most this many lines about trials are held until they are collected.
MAX_LOG_LINES = 1_000


def is_better(metric: float | None, than: float | None, mode: str) -> bool:
    """Whether ``metric`` is a usable number and better than ``than`` (None: any number is)."""
    if metric is None or not math.isfinite(metric):
        return False
    if than is None or not math.isfinite(than):
        return True
    return metric < than if mode == "min" else metric > than


def is_target(metric: float | None, target: float | None, mode: str) -> bool:
    """Whether ``metric`` is at least as good as ``target``; None: there is none."""
    return target is not None and (metric == target or is_better(metric, target, mode))


class _Tried(Protocol):
    """What a standing looks at; a trial, or its record in a result."""

    @property
    def state(self) -> TrialState: ...
    @property
    def metric(self) -> float | None: ...
    @property
    def rungs(self) -> Sequence[RungRecord]: ...


_T = TypeVar("_T", bound=_Tried)

#: A trial in one of these states has no standing.
_BAD = frozenset({FAILED, LOST})
#: A trial in one of these states runs again in a resumed run.
_AGAIN = frozenset({RUNNING, PAUSED, CANCELLED})


class Standing(NamedTuple):
    """How a configuration stands, by all its trials: one, or its repeats."""

    #: Who got further has more: trials that completed; if there are none, the highest rung
    #: entered, and the trials that entered it.
    progress: tuple[int, float, int]
    #: The mean of the last metrics of the trials that got so far.
    metric: float
    #: These trials, as they were given.
    trials: Sequence[Any]

    def rank(self, mode: str) -> tuple[float, ...]:
        """What all ranking goes by, smaller being better: who got further, then the metric."""
        completed, level, count = self.progress
        return -completed, -level, -count, self.metric if mode == "min" else -self.metric

    def leads(self, leader: Standing | None, mode: str) -> bool:
        """Whether it is better than ``leader``; None: there is none."""
        return leader is None or self.rank(mode) < leader.rank(mode)


def standing(trials: Sequence[_Tried]) -> Standing | None:
    """The standing of a configuration; None if no trial has a finite metric.

    Trials that failed or were lost do not count.
    """
    reached = -1.0
    among: list[_Tried] = []
    for trial in trials:
        state, metric = trial.state, trial.metric
        if metric is None or not math.isfinite(metric) or state in _BAD:
            continue
        level = trial.rungs[-1].resource if trial.rungs else 0.0
        if state is COMPLETED:
            level = math.inf
        if level > reached:
            reached, among = level, [trial]
        elif level == reached:
            among.append(trial)
    if not among:
        return None
    count = len(among)
    progress = (count, 0.0, 0) if reached == math.inf else (0, reached, count)
    return Standing(progress, mean_of([trial.metric or 0.0 for trial in among]), among)


def ranked(
    configurations: Iterable[Sequence[_T]], mode: str
) -> list[tuple[Sequence[_T], Standing | None]]:
    """``configurations``, the trials of each, with their standings, the best one first.

    Equals stand in the order given, and those without a standing come last.
    """
    found = [(trials, standing(trials)) for trials in configurations]
    return sorted(found, key=lambda one: (one[1] is None, one[1].rank(mode) if one[1] else ()))


def ranked_trials(trials: Iterable[_T], mode: str) -> list[_T]:
    """Those of ``trials`` that have a standing of their own, the best one first."""
    return [trial for (trial,), its in ranked(([one] for one in trials), mode) if its]


def leading(configurations: Iterable[Sequence[_Tried]], mode: str) -> Standing | None:
    """The best standing of ``configurations``, the trials of each; of equals the first one's."""
    standings = filter(None, map(standing, configurations))
    return min(standings, key=lambda one: one.rank(mode), default=None)


class TrialTable:
    """All trials that were begun, in order; the only place where their states change.

    ``full_resource``: what a trial gets if it is never stopped; None: unknown.
    ``is_told``: a searcher or hooks receive updates of trials.
    """

    def __init__(
        self, mode: str, full_resource: float | None = None, *, is_told: bool = False
    ) -> None:
        self.mode = mode
        self.full_resource = full_resource
        self.trials: list[Trial] = []
        self.states: dict[TrialState, int] = dict.fromkeys(TrialState, 0)
        #: Trials that lost their worker and wait for another, oldest first.
        self.queue: deque[int] = deque()
        #: How many trials are in a final state.
        self.finished = 0
        #: The best standing, as far as it is known.
        self._lead: Standing | None = None
        #: The last lines about trials, oldest first, and the place of the last one.
        self.logs: deque[LogLine] = deque(maxlen=MAX_LOG_LINES)
        self._place: Place = (0, 0)
        #: The resource of all attempts, and what stopped trials did not get of theirs.
        self.spent = 0.0
        self.saved = 0.0
        #: Trials that changed since they were last taken out; None: nobody has asked.
        self.changed: set[int] | None = None
        #: Trials that changed since a searcher or hooks were told of them; None: there are none.
        self.unseen: set[int] | None = set() if is_told else None
        #: The first trial of each kind of failure, at most `MAX_KINDS` of them.
        self.failures: dict[str, int] = {}
        #: The warnings about trials by kind, and the kinds that this launch has logged.
        self.warnings: dict[str, Repeated] = {}
        self._logged: set[str] = set()

    @property
    def leader(self) -> Trial | None:
        """The best trial so far; of a repeated configuration the first of those that count."""
        if self._lead is None:
            return None
        trial: Trial = self._lead.trials[0]
        return trial

    def __getitem__(self, number: int) -> Trial:
        return self.trials[number]

    def __len__(self) -> int:
        return len(self.trials)

    def add(self, trial: Trial, now: float) -> None:
        """Begin the next new trial, still without a worker."""
        assert trial.id == len(self.trials)
        trial.start_time = now
        self.trials.append(trial)
        self.states[trial.state] += 1

    def watch(self) -> set[int]:
        """The numbers of trials that changed, for the caller to take out; at first all."""
        if self.changed is None:
            self.changed = set(range(len(self.trials)))
        return self.changed

    def run(self, trial: Trial, worker: str, now: float) -> None:
        """A worker takes the next attempt at ``trial``, from its saved state or the start."""
        self.move(trial, RUNNING)
        trial.attempt += 1
        trial.worker = worker
        trial.attempt_time = now
        if trial.attempt > 1:
            self._begin_again(trial)

    def _begin_again(self, trial: Trial) -> None:
        """What was reported after the saved state does not count, but for the rungs entered."""
        if trial.saved is not None:
            _, trial.resource, trial.metric, trial.best_metric, trial.best_resource = trial.saved
            if trial.kept is not None:
                trial.kept.cut(trial.resource)
        else:
            trial.resource, trial.metric, trial.extras = 0, None, NO_EXTRAS
            trial.best_metric = trial.best_resource = None
            trial.kept = None
        trial.pause_times = ()
        trial.is_suspended = False
        if self._is_in_lead(trial):
            self._find_lead()

    def note(
        self, trial: Trial, message: Report | End | Reports, resource: float, metric: float
    ) -> None:
        """Note the last report of a running trial, and the best one, of which ``message`` tells."""
        best, at = message.best_metric, message.best_resource
        if best is None:  # a foreign worker may send the other alone
            at = None
        elif at is None:  # of a journal that does not have it
            is_known = best == trial.best_metric
            at = trial.best_resource if is_known else resource if best == metric else None
        self.spent += resource - trial.resource
        if self.changed is not None:
            self.changed.add(trial.id)
        trial.resource, trial.metric = resource, metric
        trial.best_metric, trial.best_resource = best, at

    def enter(self, trial: Trial, records: tuple[RungRecord, ...]) -> None:
        """``trial`` reported at a decision, and may have entered rungs there."""
        trial.saved = None  # it is beyond that, and its worker removes the files
        trial.rungs += records
        if self.unseen is not None and records:
            self.unseen.add(trial.id)

    def log(self, log: Log) -> bool:
        """Keep a line of a trial, whichever worker runs it now; returns whether for good.

        Of the warnings of one kind, the first one is to be logged; all are counted.
        """
        if log.trial >= len(self.trials):
            return False
        trial = self.trials[log.trial]
        trial.log = trial.log or TrialLog()
        is_lasting = trial.log.add(log.attempt, log.level, log.text)
        is_new = log.level != "output"  # what it printed is seen where it was printed
        if log.level == "warning":
            kind_of_it = count_warning(self.warnings, log.trial, log.text)
            is_new = kind_of_it not in self._logged
            self._logged.add(kind_of_it)
        if is_new:
            lasting, others = self._place
            self._place = (lasting + 1, 0) if is_lasting else (lasting, others + 1)
            self.logs.append(LogLine(self._place, log.trial, log.level, log.text))
        return is_lasting

    def logs_after(self, place: Place) -> list[LogLine]:
        """The last lines, as far as they stand after ``place``."""
        return [line for line in self.logs if line.place > place]

    def requeue(self, trial: Trial) -> None:
        """The attempt has ended early: another worker will take the trial."""
        self.move(trial, PENDING)
        self.queue.append(trial.id)

    def suspend(self, trial: Trial) -> None:
        """The worker fell silent: another one takes the trial, unless it returns before."""
        self.requeue(trial)
        trial.is_suspended = True

    def take_back(self, trial: Trial) -> None:
        """The worker of a suspended trial has returned: the attempt goes on."""
        self.queue.remove(trial.id)
        self.move(trial, RUNNING)
        trial.is_suspended = False

    def pause(self, trial: Trial, now: float) -> None:
        """The scheduler decides later; the attempt waits in the memory of its worker."""
        self.move(trial, PAUSED)
        trial.pause_times = (*trial.pause_times, now)

    def judge(self, trial: Trial, record: RungRecord) -> None:
        """The verdict on a paused trial has come: ``record`` takes the place of its last one."""
        trial.rungs = (*trial.rungs[:-1], record)
        for looked_at in (self.changed, self.unseen):
            if looked_at is not None:
                looked_at.add(trial.id)

    def go_on(self, trial: Trial, now: float) -> None:
        """The worker of a paused trial resumes the attempt."""
        self.move(trial, RUNNING)
        trial.pause_times = (*trial.pause_times, now)

    def hand_back(self, trial: Trial) -> None:
        """The worker of a queued trial has it in memory after all: it waits for that worker."""
        self.queue.remove(trial.id)
        self.move(trial, PAUSED)

    def finish(self, trial: Trial, state: TrialState, now: float) -> None:
        """Bring ``trial`` into a final state."""
        self.move(trial, state)
        trial.end_time, trial.saved = now, None
        trial.compact()
        if self.unseen is not None:
            self.unseen.add(trial.id)
        if state in _BAD and len(self.failures) < MAX_KINDS:
            self.failures.setdefault(kind(state.value, trial.error), trial.id)
        if state is STOPPED and self.full_resource is not None:
            self.saved += self.full_resource - trial.resource
        self.consider(trial)

    def consider(self, trial: Trial) -> None:
        """Update the leader after ``trial`` reported or ended."""
        lead, siblings = self._lead, trial.siblings
        if lead and not siblings and trial.state is not COMPLETED:
            completed, level, _ = lead.progress
            if completed or not trial.rungs or trial.rungs[-1].resource < level:
                return  # the usual case, at no cost: others got further
        found = standing(siblings or (trial,))
        if found and found.leads(lead, self.mode):
            self._lead = found
        elif self._is_in_lead(trial):
            self._find_lead()

    def _is_in_lead(self, trial: Trial) -> bool:
        leader = self.leader
        return leader is not None and leader.configuration == trial.configuration

    def reopen(self, *, retry_failed: bool) -> list[Trial]:
        """Queue all trials that a resumed run runs again, by number; return those that had failed.

        These are the ones that ran or were cancelled, and with ``retry_failed`` those that
        failed or were lost. Those whose rung has not decided on them wait for that instead.
        Failures count afresh, and warnings are logged again.
        """
        self.failures.clear()
        self._logged.clear()
        had_failed: list[Trial] = []
        for trial in self.trials:
            is_failed = trial.state in _BAD
            if (retry_failed if is_failed else trial.state in _AGAIN) or trial.is_suspended:
                self.states[trial.state] -= 1
                self.finished -= trial.state in FINAL
                trial.reopen()
                for looked_at in (self.changed, self.unseen):
                    if looked_at is not None:
                        looked_at.add(trial.id)
                self.states[trial.state] += 1
                if is_failed:
                    had_failed.append(trial)
        self.queue = deque(trial.id for trial in self.trials if trial.state is PENDING)
        self._find_lead()
        return had_failed

    def cancel_queue(self, now: float) -> None:
        """Cancel the trials that wait for a worker."""
        while self.queue:
            trial = self.trials[self.queue.popleft()]
            trial.is_suspended = False
            self.finish(trial, CANCELLED, now)

    @property
    def failed(self) -> int:
        """How many trials failed or were lost."""
        return self.states[FAILED] + self.states[LOST]

    def validate(self) -> None:
        """Check the invariants; AssertionError where one is broken."""
        counted = dict.fromkeys(TrialState, 0)
        for number, trial in enumerate(self.trials):
            assert trial.id == number
            counted[trial.state] += 1
            assert (trial.end_time is not None) == (trial.state in FINAL)
            verdicts = [record.verdict for record in trial.rungs]
            assert "stop" not in verdicts[:-1]
            is_stopped = trial.state is STOPPED
            assert is_stopped == (verdicts[-1:] == ["stop"] or (is_stopped and trial.is_hooked))
            assert "pause" not in verdicts[:-1]
            if trial.is_undecided and not trial.is_hooked:
                assert trial.state in (PAUSED, CANCELLED)
        assert counted == self.states
        assert self.finished == sum(counted[state] for state in FINAL)
        pending = {trial.id for trial in self.trials if trial.state is PENDING}
        assert pending == set(self.queue) and len(pending) == len(self.queue)

    def _find_lead(self) -> None:
        """The leader has no metric any more: find another one."""
        firsts = (trial for trial in self.trials if not trial.repeat)
        self._lead = leading((first.siblings or (first,) for first in firsts), self.mode)

    def move(self, trial: Trial, state: TrialState) -> None:
        """Change the state of ``trial``.

        Raises `LocalProtocolError` if `TRANSITIONS` does not allow it.
        """
        before, states = trial.state, self.states
        if state not in TRANSITIONS[before]:
            raise LocalProtocolError(f"trial {trial.id} cannot go from {before} to {state}")
        trial.state = state
        states[before] -= 1
        states[state] += 1
        if self.changed is not None:
            self.changed.add(trial.id)
        if state in FINAL:
            self.finished += 1
