"""Launches of schedulers that pause: what is taken, and the message for what is not."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from support.plans import plan_for
from support.results import make_result

import asha_bus as ab
from asha_bus.core.events import RunSettings
from asha_bus.launching.cohorts import check_same_cohort, warn_of_residents
from asha_bus.launching.options import BusOptions
from asha_bus.results.warnings import many_residents

PLAN = [(4, 5), (2, 2), (6, 1)]
THREE = ab.Space(x=ab.grid(1, 2, 3))


def yields(x: float) -> Iterator[float]:
    yield x


def reports(trial: ab.Trial) -> None:
    trial.report(0.5)


def returns(x: float) -> float:
    return x


@pytest.mark.parametrize(
    ("arguments", "trials"),
    [
        ({"scheduler": ab.SuccessiveHalving(PLAN, n=8)}, 8),
        ({"scheduler": ab.SuccessiveHalving(PLAN, n=8), "max_time": 60}, 8),
        ({"scheduler": ab.SuccessiveHalving(PLAN, n=8), "max_trials": 6}, 6),
        ({"scheduler": ab.SuccessiveHalving.classic(8, 1, 2), "repeats": 3}, 24),
        ({"scheduler": ab.Hyperband.classic(27)}, 49),
        ({"scheduler": ab.SuccessiveHalving(PLAN), "max_trials": 9}, 9),
        ({"scheduler": ab.PromotionASHA(27), "max_time": 60}, None),
        ({"scheduler": ab.MedianStopping(27), "max_trials": 9}, 9),
        ({"scheduler": ab.SuccessiveHalving([(1, 2), (1, 1)]), "space": THREE}, 3),
        ({"scheduler": ab.SuccessiveHalving([(1, 2)], n=9), "space": THREE, "repeats": 2}, 6),
    ],
)
def test_the_scheduler_says_how_many_trials_there_are(
    arguments: dict[str, Any], trials: int | None
) -> None:
    for objective in (yields, reports):
        assert trials == plan_for(objective, **arguments).settings.max_trials


@pytest.mark.parametrize(
    ("objective", "arguments", "message"),
    [
        (
            returns,
            {"scheduler": ab.PromotionASHA(9), "max_trials": 9},
            r"PromotionASHA pauses trials at its rungs, but objective returns returns once, as far "
            r"as can be seen: make it a generator",
        ),
        (
            yields,
            {"scheduler": ab.SuccessiveHalving(PLAN), "max_time": 60},
            r"SuccessiveHalving compares the trials of a cohort, .* its size: give max_trials",
        ),
        (
            yields,
            {"scheduler": ab.Hyperband([PLAN, PLAN])},
            r"Hyperband compares the trials of a cohort, .* its size: give max_trials",
        ),
        (
            yields,
            {"scheduler": ab.SuccessiveHalving(PLAN), "max_trials": 4},
            r"SuccessiveHalving keeps 5 configurations at resource 4, but the run has only 4; "
            r"raise max_trials",
        ),
        (
            yields,
            {"scheduler": ab.SuccessiveHalving(PLAN), "max_trials": 12, "repeats": 3},
            r"but the run has only 4",
        ),
        (
            yields,
            {"scheduler": ab.SuccessiveHalving(PLAN), "space": THREE},
            r"but the run has only 3",
        ),
        (
            yields,
            {"scheduler": ab.PromotionASHA(9)},
            r"the space is infinite, so the run needs an end",
        ),
    ],
)
def test_what_is_not_possible_is_refused(
    objective: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        plan_for(objective, **arguments)


def test_a_cohort_cannot_be_resumed_with_another_size() -> None:
    halving = ab.SuccessiveHalving(PLAN)
    check_same_cohort(halving, 8, 8)
    check_same_cohort(ab.PromotionASHA(9), 8, 16)
    with pytest.raises(
        ab.InvalidArgument,
        match=r"the cohort of a run is fixed with SuccessiveHalving: the run was started with "
        r"max_trials=8, and cannot be resumed with max_trials=16; give max_trials=8, or another",
    ):
        check_same_cohort(halving, 8, 16)


@pytest.mark.parametrize(
    ("scheduler", "repeats", "workers", "warned"),
    [
        (ab.SuccessiveHalving([(1, 17), (1, 1)]), 1, 2, "up to 17 trials pause at a time, about 8"),
        (ab.SuccessiveHalving([(1, 16), (1, 1)]), 1, 2, None),
        (ab.SuccessiveHalving([(1, 6), (1, 1)]), 3, 2, "up to 18 trials pause at a time, about 9"),
        (ab.SuccessiveHalving([(1, 17), (1, 1)], max_resident=4), 1, 2, None),
        (ab.Hyperband.classic(81), 1, 4, "up to 46 trials pause at a time, about 12"),
        (ab.PromotionASHA(9), 1, 1, None),
        (ab.ASHA(9), 1, 1, None),
    ],
)
def test_many_residents_are_warned_of(
    scheduler: Any,
    repeats: int,
    workers: int,
    warned: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, logger="asha_bus"):
        settings = RunSettings("r", scheduler, 0, repeats=repeats, workers=workers)
        warn_of_residents(settings)
    assert [warned is not None] == [bool(caplog.records)]
    assert (warned or "") in caplog.text
    # the result has the same text
    about = [text for text in make_result(settings=settings).warnings if "pause at a time" in text]
    assert [record.getMessage() for record in caplog.records] == about


def test_a_run_knows_the_workers_it_was_to_have() -> None:
    plan = plan_for(yields, {"x": ab.uniform(0, 1)}, max_trials=7, scheduler=ab.ASHA(9))
    settings = plan.with_options(BusOptions(), 3).settings
    assert 3 == RunSettings.from_plain(settings.to_plain()).workers
    old = settings.to_plain()
    del old["workers"]
    assert RunSettings.from_plain(old).workers is None
    assert () == tuple(many_residents(replace(settings, scheduler=HUGE, workers=None)))


HUGE = ab.SuccessiveHalving([(1, 1_000), (1, 1)])


NINE = ab.Hyperband.classic(9)  # 9 + 5 + 3


@pytest.mark.parametrize(
    ("scheduler", "arguments", "warned"),
    [
        (NINE, {}, None),
        (NINE, {"max_trials": 17}, None),
        (NINE, {"max_trials": 34, "repeats": 2}, None),
        (
            NINE,
            {"max_trials": 34},
            "Hyperband is planned for 17 configurations, but the run has 34: 18 + 10 + 6 begin in "
            "place of 9 + 5 + 3, and each rung still keeps as many as planned; give max_trials=17 "
            "to run it as planned, or write a plan for 34",
        ),
        (NINE, {"max_trials": 40, "repeats": 2}, "give max_trials=34 to run it as planned"),
        (
            ab.SuccessiveHalving.classic(8, 1, 2),
            {"max_trials": 16},
            "SuccessiveHalving is planned for 8 configurations, but the run has 16: 16 begin in",
        ),
        (ab.SuccessiveHalving(PLAN), {"max_trials": 16}, None),  # for no number
        (ab.PromotionASHA(9), {"max_trials": 16}, None),
    ],
)
def test_a_cohort_of_another_size_than_planned_is_warned_of(
    scheduler: Any, arguments: dict[str, Any], warned: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="asha_bus"):
        plan_for(yields, ab.Space(x=ab.uniform(0, 1)), scheduler=scheduler, **arguments)
    found = [record.getMessage() for record in caplog.records if "planned" in record.getMessage()]
    assert (warned is not None) == bool(found)
    assert (warned or "") in "".join(found)
