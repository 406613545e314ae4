"""All that happened to one trial, from the journal of its run.

The journal is replayed record by record, and the trial compared before and after each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from asha_bus.core import messages as m
from asha_bus.core.checks import shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import (
    Event,
    Rebalanced,
    Received,
    Resumed,
    StopRun,
    WorkerExited,
    WorkerGone,
    WorkerReturned,
    WorkerSilent,
)
from asha_bus.core.experiment import Experiment
from asha_bus.core.schedulers import Schedulers
from asha_bus.core.space import by_name
from asha_bus.core.trial import FINAL, RungRecord, Trial, TrialState
from asha_bus.formats.journal import Replayer, read_header
from asha_bus.formats.named import shown_params
from asha_bus.results.journals import read_journal
from asha_bus.results.tables import visible

_S = TrialState
_VERDICTS = {"continue": "goes on", "stop": "stopped", "complete": "completed", "pause": "paused"}


class Happening(NamedTuple):
    """What happened to a trial: at a time of day, and seconds on the clock of the run."""

    time: float
    seconds: float
    text: str


@dataclass(frozen=True)
class Story:
    """All that happened to one trial; as a string a line for each."""

    run: str
    trial: int
    #: Its parameters; empty if it was never begun.
    params: Any
    happenings: tuple[Happening, ...]

    def __str__(self) -> str:
        its = by_name(self.params).items()
        params = ", ".join(f"{name}={shortened(value)}" for name, value in its)
        lines = [f"trial {self.trial} of {self.run}: {params}"]
        for time, seconds, text in self.happenings:
            day = datetime.fromtimestamp(time).astimezone()
            shown = day.isoformat(sep=" ", timespec="milliseconds")
            lines.append(f"{shown}  {seconds:10.3f} s  {text}")
        return visible("\n".join(lines))


def story_of(path: str | os.PathLike[str], trial: int, schedulers: Schedulers = ()) -> Story:
    """Read what happened to ``trial`` from the journal at ``path``, during or after the run.

    Raises `InvalidArgument` if the file cannot be opened or it has no trial of that number, and
    `JournalError` if it is no journal, is damaged, or names an unknown scheduler.
    """
    where = os.fspath(path)
    data = read_journal(path)
    header, begin = read_header(data, where, schedulers)
    replayer = Replayer(data[:begin], where, schedulers)
    experiment = replayer.experiment
    found: list[Happening] = []
    before = None
    for entry in replayer.walk(data[begin:]):
        after = _Look.at(experiment, trial)
        if after is not None and after != before:
            time = experiment.settings.epoch + entry.now
            texts = _texts(before, after, experiment.table[trial], entry.event)
            found += [Happening(time, entry.now, text) for text in texts]
        before = after
    replayer.result()  # damage before the end is an error
    trials = len(experiment.table)
    if not 0 <= trial < trials:
        raise InvalidArgument(
            f"there is no trial {trial} in {where!r}; the run has {trials}, counted from 0"
        )
    one = experiment.table[trial]
    params = shown_params(header.read_space(where), one.point, one.named)
    return Story(header.name, trial, params, tuple(found))


class _Look(NamedTuple):
    """A trial as it stood after a record, and the run around it as far as it matters."""

    state: TrialState
    attempt: int
    worker: str | None
    failures: int
    rungs: tuple[RungRecord, ...]
    #: The worker that has the paused trial in memory.
    holder: str | None
    #: How many messages of the run were refused, and how many residents were dropped.
    fenced: int
    dropped: int
    #: Whether there is a saved state, from which another attempt would begin.
    saved: bool

    @classmethod
    def at(cls, experiment: Experiment, number: int) -> _Look | None:
        """The trial as it stands; None: there is none."""
        if not 0 <= number < len(experiment.table):
            return None
        trial = experiment.table[number]
        residents = experiment.assignments.residents
        holder = residents.holder(trial)
        return cls(
            trial.state,
            trial.attempt,
            trial.worker,
            trial.failures,
            tuple(trial.rungs),
            None if holder is None else holder.name,
            experiment.counters.fenced,
            residents.dropped,
            trial.saved is not None,
        )


def _texts(old: _Look | None, new: _Look, trial: Trial, event: Event) -> Iterator[str]:
    """What happened to ``trial`` between two looks, by ``event``."""
    if old is None:
        yield from _begun(new)
        return
    if new.fenced > old.fenced and (refused := _refused(event, trial)):
        yield refused
    yield from _reported(old, new)
    if isinstance(event, Resumed) and old.state is not new.state:
        yield f"another launch continues the run: the trial is {new.state}"
        return
    is_new_attempt = new.attempt > old.attempt
    is_to_train = new.state is _S.PENDING or is_new_attempt
    if new.holder is None and (new.state is _S.PAUSED or is_to_train):
        holder = old.worker if old.state is _S.RUNNING and new.state is _S.PAUSED else old.holder
        if holder is not None:
            yield f"{holder} has it in memory no longer: {_why(old, new, event)}"
    if old.state is _S.RUNNING and is_to_train:
        yield _lost(old, new, trial, event)
    if new.saved and not old.saved:
        yield f"{new.worker} saved its state, at resource {trial.resource:g}"
    if old.state is _S.PAUSED and is_to_train:
        how = (
            "to continue from its saved state"
            if new.saved
            else "to be trained again from the start"
        )
        yield f"it waits for any worker, {how}"
    elif old.state is _S.PENDING and new.state is _S.PAUSED:
        yield f"{new.worker} returned, and has it in memory"
    if is_new_attempt:
        yield from _begun(new)
    elif new.state is _S.RUNNING and old.state is _S.PAUSED:
        yield f"resumed by {new.worker}"
    elif new.state is _S.RUNNING and old.state is _S.PENDING:
        yield f"{new.worker} returned, and continues attempt {new.attempt}"
    if new.state in FINAL and old.state is not new.state:
        yield _ended(trial, event)


def _begun(new: _Look) -> Iterator[str]:
    if new.attempt:
        again = " from the start" if new.attempt > 1 else ""
        if new.saved:
            again = " from its saved state"
        yield f"attempt {new.attempt} begins{again}, with {new.worker}"


def _reported(old: _Look, new: _Look) -> Iterator[str]:
    """The rungs that the trial entered, and verdicts that came later."""
    for record in new.rungs[len(old.rungs) :]:
        n, verdict = record.n, _VERDICTS[record.verdict]
        if record.verdict == "pause" or record.paused_n is not None:
            n, verdict = record.paused_n or n, f"paused, in the memory of {new.worker}"
        yield (
            f"rung {record.rung} at resource {record.resource:g}: metric {record.metric:g}, "
            f"number {n} here: {verdict}"
        )
    decided = {record.rung for record in old.rungs if record.verdict != "pause"}
    for record in new.rungs:
        if record.paused_n is not None and record.rung not in decided:
            verdict = "it is to go on" if record.verdict == "continue" else "stopped"
            yield f"rung {record.rung} decided, when {record.n} had come: {verdict}"


def _refused(event: Event, trial: Trial) -> str | None:
    """The report or the end that was fenced, if it was about ``trial``."""
    if isinstance(event, Received):
        worker, message = event
        if isinstance(message, (m.Report, m.End)) and message.trial == trial.id:
            what = "a report" if isinstance(message, m.Report) else "the end"
            return f"{what} of attempt {message.attempt} by {worker} was refused (fenced)"
    return None


def _why(old: _Look, new: _Look, event: Event) -> str:
    """Why a worker does not have a resident any more."""
    if isinstance(event, Received) and isinstance(event.message, m.Dropped):
        return "it was short of memory"
    if new.dropped > old.dropped:
        return "it had too many"
    return _departure(event)


def _departure(event: Event) -> str:
    """How a worker went."""
    if isinstance(event, WorkerSilent):
        return "it fell silent"
    if isinstance(event, WorkerGone):
        return "it did not return in time"
    if isinstance(event, WorkerExited):
        return "its process ended"
    if isinstance(event, Rebalanced):
        return "an idle worker trains it before that one would"
    if isinstance(event, WorkerReturned):
        return "it returned, and another one has the trial"
    if isinstance(event, Received) and isinstance(event.message, m.Leave):
        return "it left"
    if isinstance(event, Received) and isinstance(event.message, m.Next):
        return "the worker asked for another trial"
    return "it is gone"


def _lost(old: _Look, new: _Look, trial: Trial, event: Event) -> str:
    """Why another attempt follows."""
    which = f"attempt {old.attempt} with {old.worker}"
    if isinstance(event, Received) and isinstance(event.message, m.End):
        if new.failures > old.failures:
            return f"{which} failed, and the trial is restarted: {_last_line(event.message.error)}"
        if event.message.outcome == "dropped":
            if old.saved and not new.saved:
                return f"{which}: its saved state could not be loaded"
            return f"{which}: the worker had it in memory no longer"
    if trial.is_suspended:
        return f"{which}: the worker fell silent, and another one may take the trial"
    return f"{which} is lost: {_departure(event)}"


def _ended(trial: Trial, event: Event) -> str:
    text = f"ended {trial.state} at resource {trial.resource:g}"
    if trial.metric is not None:
        text += f" with metric {trial.metric:g}"
    if trial.state is _S.CANCELLED and isinstance(event, StopRun):
        text += f": the run ended by {event.reason}"
    if trial.state is _S.STOPPED and trial.is_hooked:
        text += ": a hook stopped it"
    return f"{text}: {_last_line(trial.error)}" if trial.error else text


def _last_line(error: str | None) -> str:
    lines = (error or "").strip().splitlines()
    return lines[-1] if lines else "without a text"
