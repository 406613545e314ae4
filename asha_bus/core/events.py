"""What goes into the `Experiment` besides workers' messages, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from asha_bus.core.checks import ANY_WHOLE, SWITCH, Rule, check, whole
from asha_bus.core.messages import FromWorker, Named, Point, Reports, ToWorker, Welcome
from asha_bus.core.schedulers import Scheduler, Schedulers, scheduler_from_plain
from asha_bus.core.trial import RungRecord, Trial

#: Fields that journals know by another name, which stays as long as their format.
_PLAIN_NAMES = {"heartbeat_s": "beat_s"}
_FIELD_NAMES = {plain: field for field, plain in _PLAIN_NAMES.items()}

#: What a field must be that comes from a file, by its type, or where that says too little.
_TYPE_RULES = {
    "str": Rule("a text", types=(str,)),
    "bool": SWITCH,
    "int": ANY_WHOLE,
    "float": Rule("a number that is not NaN", lambda value: value == value, (int, float)),
}
#: The year 2255: tables cannot hold later dates.
_MAX_EPOCH = 9e9

_FIELD_RULES = {
    "epoch": Rule("a time of day", lambda value: 0 <= value < _MAX_EPOCH, (int, float)),
    "mode": Rule("'min' or 'max'", lambda value: value in ("min", "max"), (str,)),
    "max_trials": whole(0),
    "max_attempts": whole(1),
    "repeats": whole(1),
    "retries": whole(0),
}


@dataclass(frozen=True)
class RunSettings:
    """What a run is, in plain values: everything the decisions depend on.

    Times are in seconds. ``max_trials`` None: no limit but time. ``limit_reason``
    is the reason given when ``max_trials`` are done. An attempt that runs for longer
    than ``trial_timeout_s`` fails; more failures than ``max_failures`` end the run, and
    with ``fail_fast`` the first one does. Each configuration gets ``repeats`` consecutive
    trials. A trial whose attempt failed is restarted up to ``retries`` times.
    ``searcher`` tells the searcher and its settings to people, ``workers`` how many were to
    be started (None: not known); nothing depends on them.
    """

    run: str
    scheduler: Scheduler
    seed: int
    mode: str = "min"
    max_trials: int | None = None
    limit_reason: str = "max_trials"
    max_time_s: float | None = None
    stop_at: float | None = None
    lease_s: float = 60.0
    heartbeat_s: float = 5.0
    max_attempts: int = 3
    #: Seconds after the end of its lease for which a worker may still return. None, in journals
    #: of earlier versions: it counts as dead at once, and a trial that it returns as lost.
    hang_timeout_s: float | None = 120.0
    #: The time of day, in seconds since the epoch, at 0 on the clock of the run.
    epoch: float = 0.0
    trial_timeout_s: float | None = None
    max_failures: int | None = None
    fail_fast: bool = False
    #: Keep reports between rungs.
    curves: bool = False
    #: Whether the searcher learns from results, and how long a worker waits for it.
    learns: bool = False
    suggest_timeout_s: float = 10.0
    repeats: int = 1
    retries: int = 0
    #: The most resource that all trials get together; None: no limit.
    max_total_resource: float | None = None
    #: Whether functions of the user's hear at once of each trial that enters a rung or ends.
    hooks: bool = False
    searcher: str = ""
    #: Where workers save the states of paused trials that they have to drop; empty: nowhere.
    saves: str = ""
    #: Where workers keep what the best trials attach; empty: nowhere.
    keeps: str = ""
    workers: int | None = None

    @property
    def tells(self) -> bool:
        """Whether the searcher or hooks hear what becomes of trials."""
        return self.learns or self.hooks

    def welcome(self, seq: int) -> Welcome:
        """What a worker must know of the run."""
        return Welcome(
            seq, self.heartbeat_s, self.mode, self.stop_at, self.trial_timeout_s, self.repeats
        )

    def to_plain(self) -> dict[str, Any]:
        """The settings as plain data."""
        plain = asdict(self)
        plain["scheduler"] = self.scheduler.to_plain()
        return {_PLAIN_NAMES.get(name, name): value for name, value in plain.items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], schedulers: Schedulers = ()) -> RunSettings:
        """The settings that `to_plain` described; see `scheduler_from_plain`.

        Raises `InvalidArgument`, or another exception, if ``plain`` does not describe any.
        """
        named = {_FIELD_NAMES.get(name, name): value for name, value in plain.items()}
        named.setdefault("hang_timeout_s", None)  # the rules of journals that do not have it
        scheduler = scheduler_from_plain(plain["scheduler"], schedulers)
        found = cls(**{**named, "scheduler": scheduler})
        for field in fields(cls):
            value = getattr(found, field.name)
            if value is None and "None" in str(field.type):
                continue
            rule = _FIELD_RULES.get(field.name) or _TYPE_RULES.get(str(field.type).split()[0])
            if rule is not None:
                check(field.name, value, rule)
        return found


@dataclass(slots=True)
class Counters:
    """Running totals, each a plain number."""

    reports: int = 0
    decisions: int = 0
    assigned: int = 0
    fenced: int = 0
    retried: int = 0
    requeued: int = 0
    #: Attempts that failed and were restarted.
    failed_attempts: int = 0
    leases_expired: int = 0
    refused: int = 0
    #: Times a worker had to wait for the searcher, and points drawn at random because it
    #: took too long.
    suggest_waits: int = 0
    fallbacks: int = 0
    #: Resource that trials had got before they were trained again from the start.
    retrained: float = 0
    #: Paused trials that were saved before they were dropped, and attempts that began so.
    saved: int = 0
    loaded: int = 0
    #: Times a pruner was asked in the searcher's process.
    pruner_asked: int = 0

    def raise_to(self, counters: Mapping[str, float]) -> None:
        """Continue from ``counters``, by name, where those are higher."""
        for name, count in counters.items():
            setattr(self, name, max(count, getattr(self, name)))


# --- events ------------------------------------------------------------------


class Received(NamedTuple):
    """A message of the worker ``sender`` arrived."""

    sender: str
    message: FromWorker


class Kept(NamedTuple):
    """Reports between rungs of the worker ``sender`` that the trial's curve keeps."""

    sender: str
    message: Reports


class Suggested(NamedTuple):
    """The searcher answers a `RequestSuggestions`: points ``first``, ``first + 1``, …

    ``is_last``: it has no more.
    """

    first: int
    points: tuple[Point, ...]
    is_last: bool = False


class FallbackDrawn(NamedTuple):
    """The searcher took too long: a random ``point`` for configuration ``number``."""

    number: int
    point: Point


class ValuesDrawn(NamedTuple):
    """The searcher has drawn values of ``trial`` by name: ahead, or for a `RequestValue`.

    The value of the name `PRUNE` is 1 where the trial is to be pruned, else 0. ``error``: what
    was raised in place of the value.
    """

    trial: int
    named: tuple[Named, ...]
    error: str = ""


class WorkerExited(NamedTuple):
    """The worker at ``slot`` is gone: its process or its Spark job ended.

    ``how``: what is known of its end, such as "ended with exit status 3"; maybe nothing.
    """

    slot: str
    how: str = ""


class WorkerSilent(NamedTuple):
    """The lease of ``worker`` has ended, or another worker takes its slot: it may return."""

    worker: str


class WorkerReturned(NamedTuple):
    """``worker`` was silent and is heard again: it had been paused, or cut off."""

    worker: str


class WorkerGone(NamedTuple):
    """``worker`` is given up: it did not return in time after its lease had ended."""

    worker: str


class StopRun(NamedTuple):
    """The user, the end of ``max_time``, or an outside failure ends the run."""

    reason: str
    message: str = ""


class StopTrial(NamedTuple):
    """A hook of the user's stops ``trial``, at its next report, or at once if it has paused."""

    trial: int


class Rebalanced(NamedTuple):
    """``trial`` is to go on, and an idle worker brings it to its next rung before its holder."""

    trial: int


class RungTimedOut(NamedTuple):
    """A rung has waited for its last trials for as long as it may."""

    bracket: int
    rung: int


class GraceExpired(NamedTuple):
    """The run ends, and its last trials had the time they were given."""


class Resumed(NamedTuple):
    """A new launch continues the run, without the workers of the former one.

    Trials that were running, or were cancelled by its end, run again; with
    ``retry_failed`` also those that failed or were lost.
    """

    settings: RunSettings
    retry_failed: bool = False


class Stalled(NamedTuple):
    """The bus itself did not run for ``seconds`` (suspended, swapped out)."""

    seconds: float


class JournalFailed(NamedTuple):
    """The journal cannot be written any more, so nothing can be decided. ``text`` says why."""

    text: str


#: What a journal holds: the same events in the same order give the same state.
JournaledEvent = (
    Received
    | Kept
    | Suggested
    | FallbackDrawn
    | ValuesDrawn
    | WorkerExited
    | WorkerSilent
    | WorkerReturned
    | WorkerGone
    | StopRun
    | StopTrial
    | RungTimedOut
    | Rebalanced
    | GraceExpired
    | Resumed
)
Event = JournaledEvent | Stalled | JournalFailed


# --- effects -----------------------------------------------------------------


class Send(NamedTuple):
    """Send ``message`` to the socket with the identity ``to``."""

    to: str
    message: ToWorker


class RequestSuggestions(NamedTuple):
    """Ask the searcher for ``number`` points from ``first`` on.

    ``is_fallback``: ask for a random point instead, because the searcher takes too long.
    """

    first: int
    number: int
    is_fallback: bool = False


class RequestValue(NamedTuple):
    """Ask the searcher for the value of one more parameter of ``trial``, or whether to prune it."""

    trial: int
    name: str
    distribution: str


class TrialUpdated(NamedTuple):
    """Tell a searcher that learns, and hooks: ``trial`` entered a rung or ended."""

    trial: Trial


class AppendToJournal(NamedTuple):
    """Write down that ``event`` was handled at ``now``, before any answer leaves.

    ``decisions``: the rungs that a report entered, with their verdicts.
    """

    now: float
    event: JournaledEvent
    decisions: tuple[RungRecord, ...] = ()


class Ended(NamedTuple):
    """The run is over; every trial is in a final state or was never begun."""

    reason: str
    message: str


Effect = AppendToJournal | Send | RequestSuggestions | RequestValue | TrialUpdated | Ended
