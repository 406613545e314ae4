"""What became of trials that pause, in words and as a table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import pytest
from support.results import SPACE, make_result, make_trial

from asha_bus import Result
from asha_bus.core.events import StopRun
from asha_bus.core.schedulers import (
    ASHA,
    Decision,
    Hyperband,
    MedianStopping,
    Move,
    PromotionASHA,
    Scheduler,
    SchedulerState,
    SuccessiveHalving,
)
from asha_bus.core.trial import RungRecord, Trial, TrialState
from asha_bus.results.records import BusReport, TrialRecord
from asha_bus.testing.simulator import Bench


def result_of(bench: Bench) -> Result:
    """The run so far."""
    experiment = bench.experiment
    return Result(
        name="run",
        mode=experiment.settings.mode,
        seed=7,
        space=SPACE,
        trials=[TrialRecord.from_row(t.to_row(), SPACE) for t in experiment.table.trials],
        reason="unfinished",
        message="",
        elapsed_s=bench.now,
        bus=BusReport.from_journal(experiment, bench.now),
        settings=experiment.settings,
        rungs=experiment.scheduler.rungs(),
    )


def run(scheduler: Scheduler, *reports: tuple[int, float, float], **settings: Any) -> Result:
    """A run with a worker for each trial; a report is ``(trial, resource, metric)``."""
    bench = Bench(scheduler=scheduler, **settings)
    bench.join(
        *(f"w{number}" for number in range(max((one[0] for one in reports), default=-1) + 1))
    )
    for trial, resource, metric in reports:
        bench.report(f"w{trial}", trial, resource, metric)
    return result_of(bench)


def first_line(result: Result, trial: int) -> str:
    return result.explain(trial).splitlines()[0]


PLAN = SuccessiveHalving([(1, 2), (2, 1)])


def test_a_trial_that_waits() -> None:
    result = run(PLAN, (0, 1, 0.5), max_trials=4)
    assert (
        "rung 0 at resource 1: metric 0.5, the first here, the best 2 go on: paused\n"
        "trial 0 is PAUSED at resource 1 with metric 0.5: it waits for the verdict of its rung"
        == result.explain(0)
    )


def test_a_trial_that_is_stopped_at_once() -> None:
    result = run(PLAN, (0, 1, 0.5), (1, 1, 0.25), (2, 1, 0.75), max_trials=6)
    assert (
        "rung 0 at resource 1: metric 0.75, rank 3 of 3 here, the best 2 go on, the 2nd has 0.5, "
        "and 2 better ones were there: stopped" == first_line(result, 2)
    )


def test_trials_whose_verdict_came_later() -> None:
    entries = ((0, 1, 0.5), (1, 1, 0.25), (2, 1, 0.375), (3, 1, 0.125))
    result = run(PLAN, *entries, max_trials=5)
    assert (
        "rung 0 at resource 1: metric 0.5, rank 3 of 3 here, the best 2 go on, the 2nd has 0.375, "
        "and 2 better ones were there: paused as number 1, stopped when 3 had come"
        == first_line(result, 0)
    )
    assert (
        "rung 0 at resource 1: metric 0.125, rank 1 of 4 here, the best 2 go on, the 2nd has "
        "0.25, and it is one of them whatever else comes: goes on" == first_line(result, 3)
    )
    assert first_line(result, 2).endswith("paused as number 3, stopped when 4 had come")


def test_the_winners_of_the_last_rung() -> None:
    entries = ((0, 1, 0.5), (1, 1, 0.25), (1, 3, 0.25), (0, 3, 0.375))
    result = run(PLAN, *entries, max_trials=2)
    where = "rung 1 at resource 3: metric"
    first, second = (result.explain(number).splitlines()[1] for number in (1, 0))
    assert (
        f"{where} 0.25: the first here in the last rung, where all complete; one of the best 1 so "
        f"far, which the plan keeps" == first
    )
    assert (
        f"{where} 0.375: rank 2 of 2 here in the last rung, where all complete; not one of the "
        f"best 1, which the plan keeps" == second
    )


def test_a_trial_that_came_too_late() -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 2), (2, 1)]), max_trials=3)
    bench.join("a", "b", "c")
    bench.report("a", 0, 1, 0.5)
    bench.experiment.scheduler.time_out(0, 0)
    bench.report("b", 1, 1, 0.25)
    assert first_line(result_of(bench), 1).endswith(
        "the best 2 go on, but it came when the rung no longer waited for it: stopped"
    )


def test_a_metric_that_is_not_finite() -> None:
    result = run(PLAN, (0, 1, math.nan), max_trials=4)
    assert "rung 0 at resource 1: metric nan is not finite and ranks worst: stopped" == (
        first_line(result, 0)
    )


def test_plans_of_hyperband_are_named() -> None:
    result = run(
        Hyperband([(2, [(1, 1), (2, 1)]), (1, [(3, 1)])]), (0, 1, 0.5), (2, 3, 0.25), max_trials=3
    )
    assert first_line(result, 0).startswith("plan 0, rung 0 at resource 1: metric 0.5")
    assert first_line(result, 2).startswith("plan 1, rung 0 at resource 3: metric 0.25")


def test_a_promotion_that_came_later() -> None:
    entries = ((0, 1, 0.5), (1, 1, 0.75), (2, 1, 0.875))
    result = run(PromotionASHA(max_resource=9), *entries, max_trials=9)
    assert (
        "rung 0 at resource 1: metric 0.5, rank 1 of 3 here, the best one goes on, the 1st has "
        "0.5: paused as number 1, went on when 3 had come" == first_line(result, 0)
    )
    assert "rank 2 of 2 here, none goes on yet: paused" in first_line(result, 1)
    assert "rank 3 of 3 here, the best one goes on, the 1st has 0.5: paused" in first_line(
        result, 2
    )


def test_a_reason_of_the_scheduler_is_shown() -> None:
    record = RungRecord(1, 3, 0.5, 4, 2, 0.25, "stop", reason="slower than \x1b[2Jits own start")
    result = make_result(make_trial(0, TrialState.STOPPED, 0.5, record))
    assert first_line(result, 0) == (
        "rung 1 at resource 3: metric 0.5, slower than \\x1b[2Jits own start: stopped"
    )


def test_a_reason_of_a_later_verdict_is_shown() -> None:
    paused = RungRecord(0, 1, 0.5, 1, 1, 0.5, "pause", reason="too early to say")
    moves = [Move(0, "stop", n=3, keep=1, cutoff=0.25, reason="the budget is spent"), None]
    for move, words in zip(
        moves,
        (", the budget is spent: paused as number 1, stopped when 3", ", too early"),
        strict=True,
    ):
        bench = Bench(scheduler=Told(paused, move), max_trials=1)
        bench.join("w0")
        bench.report("w0", 0, 1, 0.5)
        assert words in first_line(result_of(bench), 0)


@dataclass(frozen=True)
class Told(Scheduler):
    """Pauses each trial with a record, and then makes one move."""

    record: RungRecord
    move: Move | None
    pauses: ClassVar[bool] = True

    @property
    def full_resource(self) -> float:
        return 9

    def new_state(self, *, mode: str, seed: int) -> SchedulerState:
        return ToldState(self)


class ToldState(SchedulerState):
    def __init__(self, told: Told) -> None:
        self._told, self._moves = told, [] if told.move is None else [told.move]
        self._has_paused = False

    def assign(self, trial: Trial, random: Random) -> None:
        """There are no brackets."""

    def next_resource(self, trial: Trial) -> float:
        return 1

    def report(self, trial: Trial, resource: float, metric: float) -> Decision:
        self._has_paused = True
        return Decision("pause", (self._told.record,), None)

    def take_moves(self) -> list[Move]:
        found, self._moves = (self._moves, []) if self._has_paused else ([], self._moves)
        return found


def test_a_trial_that_waits_for_its_worker() -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=9), max_trials=9)
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)  # and begins trial 2
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 3, 1, 0.875)  # 0 is promoted, and worker a is busy
    assert (
        result_of(bench)
        .explain(0)
        .endswith(
            "trial 0 is PAUSED at resource 1 with metric 0.5: it waits for its worker, to go on"
        )
    )


def test_a_run_that_ended_before_a_verdict() -> None:
    bench = Bench(scheduler=PLAN, max_trials=4)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.handle(StopRun("stopped"))
    assert (
        "trial 0 ended CANCELLED at resource 1 with metric 0.5: the run ended before the verdict "
        "of its rung" == result_of(bench).explain(0).splitlines()[-1]
    )


def test_median_stopping() -> None:
    rule = MedianStopping(max_resource=9, min_samples=2)
    entries = ((0, 1, 0.5), (1, 1, 0.25), (2, 1, 0.75))
    result = run(rule, *entries, max_trials=9)
    assert (
        "rung 0 at resource 1: metric 0.25, 1 others came so far, fewer than 2: goes on"
        == first_line(result, 1)
    )
    assert (
        "rung 0 at resource 1: metric 0.75, its best one so far 0.75, the median of the means of "
        "2 others 0.375: stopped" == first_line(result, 2)
    )


def test_repeats_share_a_place() -> None:
    plan = SuccessiveHalving([(1, 1), (2, 1)])
    entries = ((0, 1, 0.5), (1, 1, 0.25), (2, 1, 0.75), (3, 1, 0.25))
    result = run(plan, *entries, max_trials=4, repeats=2)
    assert (
        "rung 0 at resource 1: metric 0.25, mean of its repeats 0.5, rank 2 of 2 here, the best "
        "one goes on, the 1st has 0.375, and 1 better one was there: stopped"
        == first_line(result, 3)
    )


# --- the table ------------------------------------------------------------------


def test_all_decisions_are_a_table() -> None:
    entries = ((0, 1, 0.5), (1, 1, 0.75), (2, 1, 0.875))
    result = run(PromotionASHA(max_resource=9), *entries, max_trials=9)
    decisions = result.decisions()
    assert [0, 1, 2] == [one.trial for one in decisions]
    assert (0, 0, 0, 1, 0.5, None, 3, 1, 0.5, "continue", 1) == decisions[0]
    assert ["continue", "pause", "pause"] == [one.verdict for one in decisions]
    head, _, first, *_ = repr(decisions).splitlines()
    names = "trial bracket rung resource metric mean n keep cutoff verdict paused_n"
    assert names.split() == head.split()
    assert ["0", "0", "0", "1", "0.5", "3", "1", "0.5", "continue", "1"] == first.split()


def test_decisions_as_a_frame() -> None:
    frame = run(ASHA(max_resource=9), (0, 1, 0.5), (1, 1, 0.75), max_trials=9)
    found = frame.decisions().to_pandas()
    assert ["continue", "stop"] == list(found["verdict"])
    assert [True, True] == list(found["paused_n"].isna())
    assert found["mean"].dtype == float


def test_a_run_without_decisions_is_an_empty_table() -> None:
    decisions = run(PLAN, max_trials=4).decisions()
    assert not list(decisions)
    assert 0 == len(decisions.to_pandas())
    assert "verdict" in repr(decisions)


@pytest.mark.parametrize("trial", [0, 1, 2])
def test_all_lines_end_with_a_verdict(trial: int) -> None:
    entries = ((0, 1, 0.5), (1, 1, 0.75), (2, 1, 0.875))
    result = run(PromotionASHA(max_resource=9), *entries, max_trials=9)
    assert len(result.trials[trial].rungs) + 1 == len(result.explain(trial).splitlines())
