"""Paused trials in the memory of their workers: who holds which, and who is to go on."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from asha_bus.core.events import Counters
from asha_bus.core.latency import Latencies
from asha_bus.core.messages import Saved
from asha_bus.core.roster import MAX_DROPS, Roster, WorkerRecord
from asha_bus.core.trial import SavedState, Trial, TrialState
from asha_bus.core.trials import TrialTable

#: In this unit, the buckets of `Latencies` hold times from 4 ms to 18 hours.
WAIT_UNIT_S = 4096.0

#: The states of trials whose saved states may be of use.
_WITHOUT_WORKER = (TrialState.PAUSED, TrialState.PENDING)


class Residents:
    """The paused trials of a run, by the workers that hold them.

    A paused trial without a holder keeps its rungs; any worker trains it once it is to go on,
    from its saved state or from the start. ``most``: how many a worker holds at most; None: no
    limit. ``saves``: one that is too many is saved before it is dropped; until its worker has
    said whether it was, it waits. Times are seconds on the run's clock.
    """

    def __init__(
        self,
        table: TrialTable,
        roster: Roster,
        counters: Counters,
        most: int | None,
        *,
        saves: bool = False,
    ) -> None:
        self._table = table
        self.roster = roster
        self._counters = counters
        self._most = most
        self._saves = saves
        #: Trials that are to go on and wait for their worker, and since when.
        self._since: dict[int, float] = {}
        #: How long trials waited for their holders, in units of `WAIT_UNIT_S`, since they may
        #: wait for hours; and the longest time in seconds.
        self.waits = Latencies()
        self.longest_wait_s = 0.0
        #: How many residents were dropped for lack of room, and the most that a worker had.
        self.dropped = 0
        self.most_held = 0

    @property
    def waiting(self) -> Collection[int]:
        """The trials that are to go on and wait for the worker that holds or saves them."""
        return self._since.keys()

    def holder(self, trial: Trial) -> WorkerRecord | None:
        """The worker that has ``trial`` in memory, or None."""
        worker = self.roster.get(trial.worker or "")
        return worker if worker is not None and trial.id in worker.residents else None

    def _saver(self, trial: Trial) -> WorkerRecord | None:
        """The worker that is to save ``trial``, and has not said whether it did."""
        worker = self.roster.get(trial.worker or "")
        return worker if worker is not None and trial.id in worker.saving else None

    def resume(self, roster: Roster, *, saves: bool) -> None:
        """Continue with other workers, which hold nothing."""
        self.roster, self._saves = roster, saves
        self._since.clear()

    # --- trials ---------------------------------------------------------------

    def park(self, worker: WorkerRecord, trial: Trial, at: float) -> None:
        """``trial`` pauses in the memory of ``worker``; another may have to leave it.

        ``at``, here and below: the time, in seconds since the epoch.
        """
        worker.trial = None
        worker.residents[trial.id] = trial.attempt
        self._table.pause(trial, at)
        if self._most is not None and len(worker.residents) > self._most:
            self.dropped += 1
            least = self._least(worker)
            if self._saves and len(worker.drops) < MAX_DROPS:  # this pause says so
                worker.saving.add(least)
            self._drop(worker, least)
        self.most_held = max(self.most_held, len(worker.residents))

    def _least(self, worker: WorkerRecord) -> int:
        """The least promising resident of ``worker``; one that is to go on only if all are."""
        numbers = worker.residents.keys() - worker.going_on or worker.residents
        return min(numbers, key=lambda number: self._promise(self._table[number]))

    def _promise(self, trial: Trial) -> tuple[float, ...]:
        metric = trial.rungs[-1].judged
        sign = 1 if self._table.mode == "min" else -1
        return len(trial.rungs), -sign * metric if math.isfinite(metric) else -math.inf, -trial.id

    def _drop(self, worker: WorkerRecord, number: int) -> None:
        worker.drops.append(number)
        self._forget(worker, number)

    def _forget(self, worker: WorkerRecord, number: int) -> None:
        """``worker`` has a resident no longer."""
        del worker.residents[number]
        if number in worker.going_on:
            worker.going_on.remove(number)
            if number not in worker.saving:
                self._retrain(self._table[number])

    def _retrain(self, trial: Trial) -> None:
        """Any worker may train ``trial``; that is no fault of the trial."""
        self._since.pop(trial.id, None)
        trial.forgiven += 1
        self._table.requeue(trial)

    def go_on(self, trial: Trial, now: float) -> WorkerRecord | None:
        """``trial`` is to go on; returns its holder, which must be told if it waits."""
        holder = self.holder(trial)
        if holder is None and self._saver(trial) is not None:
            self._since[trial.id] = now
        elif holder is None:
            self._retrain(trial)
        else:
            holder.going_on.add(trial.id)
            self._since[trial.id] = now
        return holder

    def hand_over(self, trial: Trial) -> None:
        """``trial``, which is to go on, leaves its holder: any worker may train it."""
        holder = self.holder(trial)
        if holder is not None and trial.id in holder.going_on:
            self._drop(holder, trial.id)

    def stop(self, trial: Trial) -> WorkerRecord | None:
        """``trial`` does not go on; returns the worker that is to drop it or its saved state."""
        holder = self.holder(trial) or self._saver(trial)
        if holder is None and trial.saved is not None:
            holder = self.roster.get(trial.worker or "")
        if holder is not None:
            holder.residents.pop(trial.id, None)
            holder.going_on.discard(trial.id)
            holder.saving.discard(trial.id)
            self._since.pop(trial.id, None)
            if trial.id not in holder.drops:
                holder.drops.append(trial.id)
        return holder

    def first(self, worker: WorkerRecord, may: Callable[[Trial], bool]) -> Trial | None:
        """Of the residents of ``worker`` that are to go on and may, that of the highest rung."""
        trials = filter(may, map(self._table.__getitem__, worker.going_on))
        return max(trials, key=lambda trial: (len(trial.rungs), -trial.id), default=None)

    def take(self, worker: WorkerRecord, trial: Trial, now: float, at: float) -> None:
        """``worker`` resumes ``trial``."""
        number = trial.id
        worker.going_on.remove(number)
        del worker.residents[number]
        worker.trial = number
        self._table.go_on(trial, at)
        waited_s = now - self._since.pop(number)
        self.waits.add(waited_s / WAIT_UNIT_S)
        self.longest_wait_s = max(self.longest_wait_s, waited_s)

    # --- saved states ---------------------------------------------------------

    def awaits(self, worker: WorkerRecord, word: Saved) -> bool:
        """Whether ``word`` of ``worker`` is news; one that fell silent meanwhile may bring it."""
        if word.trial in worker.saving:
            return True
        if not self._saves or word.trial >= len(self._table):
            return False
        trial = self._table[word.trial]
        return self._is_of_use(worker, word) and trial.saved is None

    def _is_of_use(self, worker: WorkerRecord, word: Saved) -> bool:
        """Whether ``word`` tells of the state of the latest attempt, which runs no longer."""
        trial = self._table[word.trial]
        is_latest = (trial.worker, trial.attempt) == (worker.name, word.attempt)
        return is_latest and trial.state in _WITHOUT_WORKER

    def on_saved(self, worker: WorkerRecord, word: Saved) -> None:
        """``worker`` says whether it saved a trial: now any worker may continue it."""
        trial = self._table[word.trial]
        if self._is_of_use(worker, word):
            best = (trial.best_metric, trial.best_resource)
            trial.saved = SavedState(word.attempt, trial.resource, trial.metric, *best)
            self._counters.saved += 1
        self._end_saving(worker, word.trial)

    def _end_saving(self, worker: WorkerRecord, number: int) -> None:
        if number in worker.saving:
            worker.saving.remove(number)
            if number in self._since:
                self._retrain(self._table[number])

    # --- workers --------------------------------------------------------------

    def lose(self, worker: WorkerRecord, *, may_return: bool = False) -> None:
        """``worker`` is gone, perhaps for a while: its residents have no holder."""
        held = {**worker.suspended_residents, **worker.residents}
        for number in list(worker.residents):
            self._forget(worker, number)
        for number in sorted(worker.saving):
            self._end_saving(worker, number)
        worker.suspended_residents = held if may_return else {}
        if not may_return:  # in case that it is heard again
            worker.drops += held

    def take_back(self, worker: WorkerRecord) -> None:
        """``worker`` has returned, and holds what no other worker has begun to train."""
        for number, attempt in worker.suspended_residents.items():
            trial = self._table[number]
            if trial.attempt == attempt and trial.state is TrialState.PAUSED:
                worker.residents[number] = attempt
            elif trial.attempt == attempt and trial.state is TrialState.PENDING:
                trial.forgiven -= 1
                self._table.hand_back(trial)
                worker.residents[number] = attempt
                worker.going_on.add(number)
                self._since[number] = worker.heard
            else:
                worker.drops.append(number)
        worker.suspended_residents = {}

    def forget(self, worker: WorkerRecord, numbers: tuple[int, ...]) -> None:
        """``worker`` had to drop ``numbers``, as far as it holds them."""
        for number in numbers:
            if number in worker.residents:
                self.dropped += 1
                self._forget(worker, number)

    def validate(self) -> None:
        """Check the invariants; AssertionError if one is broken."""
        going_on: set[int] = set()
        saving: set[int] = set()
        for worker in self.roster.workers.values():
            assert worker.going_on <= worker.residents.keys()
            assert self._most is None or len(worker.residents) <= self._most
            assert worker.active or not worker.residents
            going_on |= worker.going_on
            saving |= worker.saving
            for number in worker.saving:
                trial = self._table[number]
                assert trial.state is TrialState.PAUSED and trial.worker == worker.name
                assert number not in worker.residents
            for number, attempt in worker.residents.items():
                trial = self._table[number]
                assert trial.state is TrialState.PAUSED and trial.worker == worker.name
                assert trial.attempt == attempt
                assert trial.is_undecided is (number not in worker.going_on)
        assert going_on == set(self._since) - saving
        assert all(self._table[n].is_undecided is (n not in self._since) for n in saving)
