"""Schedulers of others that give wrong answers, or let nobody go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import pytest

import asha_bus as ab
from asha_bus.core.schedulers import Decision, Move, Scheduler, SchedulerState
from asha_bus.core.trial import RungRecord, Trial

S = ab.TrialState


def record(verdict: str) -> RungRecord:
    return RungRecord(0, 1.0, 0.5, 1, 1, 0.5, verdict)


PAUSE = Decision("pause", (record("pause"),), None)
GO_ON = Move(0, "continue", n=1, keep=1, cutoff=None)


class State(SchedulerState):
    """Answers what ``given`` says, and else as it should."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._has_moved = False

    def assign(self, trial: Trial, random: Random) -> None:
        trial.bracket = self._given.get("bracket", 0)

    def next_resource(self, trial: Trial) -> Any:
        return self._given.get("next_resource", 1.0)

    def report(self, trial: Trial, resource: float, metric: float) -> Any:
        return self._given.get("report", Decision("complete", (), None))

    def take_moves(self) -> Sequence[Any]:
        if self._has_moved:
            return ()
        self._has_moved = "moves" in self._given
        return self._given.get("moves", ())

    def may_begin(self) -> bool:
        return bool(self._given.get("may_begin", True))


@dataclass(frozen=True)
class Wrong(Scheduler):
    """A scheduler with the answers in ``given``."""

    given: Any
    pauses: ClassVar[bool] = True

    @property
    def full_resource(self) -> float:
        return 2.0

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        return State(dict(self.given))


@dataclass(frozen=True)
class Unpaused(Wrong):
    """It does not say that it pauses trials."""

    pauses: ClassVar[bool] = False


def simulated(make: Callable[[Any], Scheduler] = Wrong, **given: Any) -> ab.Result:
    """A short run with these answers."""
    return ab.simulate(
        lambda params, resource: params["x"],
        {"x": ab.uniform(0, 1)},
        scheduler=make(tuple(given.items())),
        max_trials=3,
        workers=2,
    ).result


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bracket": -1}, r"assign\(\) must set a bracket of at least 0, got -1"),
        ({"bracket": "b"}, "a bracket of at least 0, got 'b'"),
        ({"next_resource": 0}, r"next_resource\(\) must give a resource above 0, or None, got 0"),
        ({"next_resource": float("nan")}, "a resource above 0, or None, got nan"),
        ({"next_resource": "2"}, "a resource above 0, or None, got '2'"),
        ({"report": None}, r"report\(\) must return a Decision"),
        ({"report": Decision("perhaps", (), None)}, "must return a Decision"),
        ({"report": Decision("continue", (), 1.0)}, "a resource above 1, or None, got 1.0"),
        ({"report": Decision("continue", (1,), 2.0)}, "a tuple of RungRecord"),  # type: ignore[arg-type]
        ({"report": Decision("pause", (), None)}, "must end with a record that does"),
        ({"report": Decision("complete", (record("pause"),), None)}, "only at a pause"),
        ({"report": PAUSE._replace(records=(record("pause")._replace(reason=5),))}, "got 5"),  # type: ignore[arg-type]
        (
            {"report": Decision("complete", (record("stop")._replace(reason="x" * 201),), None)},
            "a RungRecord must have a reason of at most 200 characters, or None, got 'xx",
        ),
        ({"moves": [GO_ON]}, "a Move must be of a paused trial"),
        ({"moves": [GO_ON, GO_ON], "report": PAUSE}, "a Move must be of a paused trial"),
        ({"moves": [GO_ON._replace(verdict="pause")]}, "'continue' or 'stop'"),
    ],
)
def test_a_wrong_answer_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ab.SchedulerError, match=f"the scheduler Wrong is wrong: .*{words}"):
        simulated(**given)


def test_who_does_not_pause_pauses_no_trial() -> None:
    with pytest.raises(ab.SchedulerError, match="a class without pauses=True must pause no trial"):
        simulated(Unpaused, report=PAUSE)


def test_right_answers_pass() -> None:
    assert {S.COMPLETED: 3} == {state: n for state, n in simulated().counts.items() if n}


def test_a_run_ends_whose_scheduler_lets_nobody_begin() -> None:
    result = simulated(may_begin=False)
    assert ("failed", ()) == (result.reason, result.trials)


def test_a_run_ends_whose_scheduler_lets_nobody_go_on() -> None:
    result = simulated(report=PAUSE)
    assert ("failed", [S.CANCELLED] * 3) == (result.reason, [t.state for t in result.trials])
