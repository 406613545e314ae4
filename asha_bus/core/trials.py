"""The table of a run's trials, with what is counted along the way."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from asha_bus.core.log import LogLine, TrialLog
from asha_bus.core.messages import Log
from asha_bus.core.trial import FINAL, RungRecord, Trial, TrialState, mean_of

#: So many lines about trials are held until they are collected.
MAX_LOG_LINES = 1_000


def is_better(metric: float | None, than: float | None, mode: str) -> bool:
    """Whether ``metric`` is a usable number and beats ``than`` (None: anything does)."""
    if metric is None or not math.isfinite(metric):
        return False
    if than is None or not math.isfinite(than):
        return True
    return metric < than if mode == "min" else metric > than


class _Tried(Protocol):
    """What a standing looks at; a trial, or its record in a result."""

    @property
    def state(self) -> TrialState: ...
    @property
    def metric(self) -> float | None: ...
    @property
    def rungs(self) -> Sequence[RungRecord]: ...


#: What ended so has no standing.
_BAD = frozenset({TrialState.FAILED, TrialState.LOST})


class Standing(NamedTuple):
    """How a configuration stands, by all its trials: one, or its repeats."""

    #: Who got further has more: trials that completed; if there are none, the highest rung
    #: entered, and the trials that entered it.
    progress: tuple[int, float, int]
    #: The mean of the last metrics of the trials that got so far.
    metric: float
    #: These trials, as they were given.
    trials: Sequence[Any]

    def leads(self, leader: Standing | None, mode: str) -> bool:
        """Whether it got further than ``leader``, or as far with a better metric."""
        if leader is None or self.progress > leader.progress:
            return True
        return self.progress == leader.progress and is_better(self.metric, leader.metric, mode)


def standing(trials: Sequence[_Tried]) -> Standing | None:
    """The standing of a configuration; None where no trial has a usable metric.

    What failed or was lost has none.
    """
    reached = -1.0
    among: list[_Tried] = []
    for trial in trials:
        state, metric = trial.state, trial.metric
        if metric is None or not math.isfinite(metric) or state in _BAD:
            continue
        if state is TrialState.COMPLETED:
            level = math.inf
        else:
            level = trial.rungs[-1].resource if trial.rungs else 0.0
        if level > reached:
            reached, among = level, [trial]
        elif level == reached:
            among.append(trial)
    if not among:
        return None
    count = len(among)
    progress = (count, 0.0, 0) if reached == math.inf else (0, reached, count)
    return Standing(progress, mean_of([trial.metric or 0.0 for trial in among]), among)


def leading(configurations: Iterable[Sequence[_Tried]], mode: str) -> Standing | None:
    """The best standing of ``configurations``, the trials of each; of equals the first one's."""
    lead: Standing | None = None
    for trials in configurations:
        found = standing(trials)
        if found is not None and found.leads(lead, mode):
            lead = found
    return lead


class TrialTable:
    """All trials that were begun, in order; the only place where their states change.

    ``full_resource``: what a trial gets that is never stopped, if that is known.
    ``learns``: the searcher is told what comes of its points.
    """

    def __init__(
        self, mode: str, full_resource: float | None = None, *, learns: bool = False
    ) -> None:
        self._mode = mode
        self._full_resource = full_resource
        self.trials: list[Trial] = []
        self.states: dict[TrialState, int] = dict.fromkeys(TrialState, 0)
        #: Trials that lost their worker and wait for another, oldest first.
        self.queue: deque[int] = deque()
        #: How many trials are in a final state.
        self.finished = 0
        #: The best standing, as far as it is known.
        self._lead: Standing | None = None
        #: Lines about trials, oldest first, until `take_logs` collects them.
        self.logs: deque[LogLine] = deque(maxlen=MAX_LOG_LINES)
        #: The resource of all attempts, and what stopped trials did not get of theirs.
        self.spent = 0.0
        self.saved = 0.0
        #: Trials that differ from when they were last taken out; None: nobody looks.
        self.changed: set[int] | None = None
        #: Trials that a searcher that learns is to be told of; None: it does not learn.
        self.unseen: set[int] | None = set() if learns else None

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
        """The numbers of trials that changed, to be taken out; at first all there are."""
        if self.changed is None:
            self.changed = set(range(len(self.trials)))
        return self.changed

    def run(self, trial: Trial, worker: str) -> None:
        """A worker takes the next attempt at ``trial``, from the start."""
        self._move(trial, TrialState.RUNNING)
        trial.resource, trial.metric, trial.best_metric, trial.extras = 0, None, None, {}
        trial.curve.clear()
        trial.attempt += 1
        trial.worker = worker
        if self._is_in_lead(trial):
            self._lead_anew()

    def note(self, trial: Trial, resource: float, metric: float, best: float | None) -> None:
        """Write down what a running trial reported last."""
        self.spent += resource - trial.resource
        if self.changed is not None:
            self.changed.add(trial.id)
        trial.resource, trial.metric, trial.best_metric = resource, metric, best

    def enter(self, trial: Trial, records: tuple[RungRecord, ...]) -> None:
        """``trial`` entered rungs."""
        trial.rungs.extend(records)
        if self.unseen is not None and records:
            self.unseen.add(trial.id)

    def log(self, log: Log) -> bool:
        """Write down what a trial said, whoever runs it by now; whether that is kept for good."""
        if log.trial >= len(self.trials):
            return False
        if log.level != "output":  # what it printed is seen where it was printed
            self.logs.append(LogLine(log.trial, log.level, log.text))
        trial = self.trials[log.trial]
        trial.log = trial.log or TrialLog()
        return trial.log.add(log.attempt, log.level, log.text)

    def take_logs(self) -> list[LogLine]:
        """The lines since the last call; each is given out once."""
        lines = list(self.logs)
        self.logs.clear()
        return lines

    def requeue(self, trial: Trial) -> None:
        """The attempt is lost: another worker will take the trial."""
        self._move(trial, TrialState.PENDING)
        self.queue.append(trial.id)

    def finish(self, trial: Trial, state: TrialState, now: float) -> None:
        """Bring ``trial`` into a final state."""
        self._move(trial, state)
        trial.end_time = now
        if self.unseen is not None:
            self.unseen.add(trial.id)
        if state is TrialState.STOPPED and self._full_resource is not None:
            self.saved += self._full_resource - trial.resource
        self.consider(trial)

    def consider(self, trial: Trial) -> None:
        """See whether ``trial`` leads now; it has reported, or ended."""
        lead, siblings = self._lead, trial.siblings
        if lead and lead.progress[0] and not siblings and trial.state is not TrialState.COMPLETED:
            return  # something has completed, and this has not: the usual case, at no cost
        found = standing(siblings or (trial,))
        if found and found.leads(lead, self._mode):
            self._lead = found
        elif self._is_in_lead(trial):
            self._lead_anew()

    def _is_in_lead(self, trial: Trial) -> bool:
        leader = self.leader
        return leader is not None and leader.configuration == trial.configuration

    def reopen(self, states: frozenset[TrialState]) -> None:
        """Queue all trials in one of ``states`` again, by number."""
        for trial in self.trials:
            if trial.state in states:
                self.states[trial.state] -= 1
                self.finished -= trial.state in FINAL
                trial.reopen()
                for looked_at in (self.changed, self.unseen):
                    if looked_at is not None:
                        looked_at.add(trial.id)
                self.states[TrialState.PENDING] += 1
        self.queue = deque(trial.id for trial in self.trials if trial.state is TrialState.PENDING)
        self._lead_anew()

    def cancel_queue(self, now: float) -> None:
        """Nothing will be run again: the waiting trials end here."""
        while self.queue:
            self.finish(self.trials[self.queue.popleft()], TrialState.CANCELLED, now)

    @property
    def failed(self) -> int:
        """How many trials failed or were lost."""
        return self.states[TrialState.FAILED] + self.states[TrialState.LOST]

    def validate(self) -> None:
        """Check the invariants; AssertionError where one is broken."""
        counted = dict.fromkeys(TrialState, 0)
        for number, trial in enumerate(self.trials):
            assert trial.id == number
            counted[trial.state] += 1
            assert (trial.end_time is not None) == (trial.state in FINAL)
            verdicts = [record.verdict for record in trial.rungs]
            assert "stop" not in verdicts[:-1]
            assert (trial.state is TrialState.STOPPED) == (verdicts[-1:] == ["stop"])
        assert counted == self.states
        assert self.finished == sum(counted[state] for state in FINAL)
        pending = {trial.id for trial in self.trials if trial.state is TrialState.PENDING}
        assert pending == set(self.queue) and len(pending) == len(self.queue)

    def _lead_anew(self) -> None:
        """The leader has nothing to show any more: find another."""
        firsts = (trial for trial in self.trials if not trial.repeat)
        self._lead = leading((first.siblings or (first,) for first in firsts), self._mode)

    def _move(self, trial: Trial, state: TrialState) -> None:
        self.states[trial.state] -= 1
        trial.move(state)
        self.states[state] += 1
        if self.changed is not None:
            self.changed.add(trial.id)
        if state in FINAL:
            self.finished += 1
