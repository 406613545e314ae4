"""Which parameters the metric depends on: the one that matters is found, or the reason named."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import pytest
from lib.results import simulated
from support.results import make_result, make_trial

from asha_bus import Result, RungRecord, Space, TrialState, choice, loguniform, uniform
from asha_bus.page.report import importance_document

SPACE = Space(lr=loguniform(1e-4, 1), act=choice("relu", "tanh"), noise=uniform(0, 1))


def run_of(count: int, *, rungs: int = 0, **fields: Any) -> Result:
    """Trials whose metric depends on ``act`` most, then on ``lr``, and on nothing else."""
    trials = []
    for i in range(count):
        point = (10 ** -(4 * ((i * 7) % count) / count), i % 2, ((i * 31) % count) / count)
        metric = 5.0 * point[1] - math.log10(point[0])
        records = [
            RungRecord(rung, 3**rung, metric + 100 * rung, 1, 1, None, "continue")
            for rung in range(rungs if i % 10 else min(rungs, 1))
        ]
        given = {"params": SPACE.resolve(point), **fields}
        trials.append(make_trial(i, TrialState.COMPLETED, metric, *records, **given))
    return make_result(*trials, space=SPACE)


def test_the_parameters_that_matter_come_first() -> None:
    found = importance_document(run_of(120))
    names = [name for name, _, _ in found["rows"]]
    means = {name: mean for name, mean, _ in found["rows"]}
    assert ["act", "lr", "noise"] == names
    assert means["act"] > means["lr"] > 0.05 > abs(means["noise"])
    assert "the metric of 120 trials at their end" in found["note"]


@pytest.mark.parametrize("scale", [1e-290, 1e-45, 1e39, 1e200])
def test_numbers_beyond_those_of_the_forest_are_compared(scale: float) -> None:
    plain = importance_document(run_of(120))["rows"]
    space = Space(lr=loguniform(1e-5 * scale, scale), act=SPACE.tree["act"], noise=uniform(0, 1))
    trials = [
        replace(trial, point=(trial.point[0] * scale, *trial.point[1:]))
        for trial in run_of(120).trials
    ]
    assert plain == importance_document(make_result(*trials, space=space))["rows"]


def test_the_highest_rung_with_enough_trials_is_taken() -> None:
    assert (
        "the metric of 108 trials at rung 1 (resource 3)"
        in (importance_document(run_of(120, rungs=2))["note"])
    )
    # 45 are not enough for three parameters, so the rung that most entered
    assert (
        "the metric of 50 trials at rung 0 (resource 1)"
        in (importance_document(run_of(50, rungs=2))["note"])
    )


def test_importance_uses_a_limited_number_of_trials() -> None:
    found = importance_document(run_of(2_500))
    assert "Computed from the metric of 2000 trials" in found["note"]
    assert "act" == found["rows"][0][0]


def test_the_same_result_gives_the_same_importance() -> None:
    result = simulated(200)
    assert importance_document(result) == importance_document(result)


def test_a_metric_that_is_not_finite_is_left_out() -> None:
    result = run_of(60)
    odd = make_trial(60, TrialState.COMPLETED, math.nan, params=result.trials[0].params)
    note = importance_document(make_result(*result.trials, odd, space=SPACE))["note"]
    assert "60 trials" in note


def test_parameters_without_influence_are_named() -> None:
    space = Space(noise=uniform(0, 1))
    trials = [
        make_trial(i, metric=float(i * 7919 % 101), params={"noise": (i * 31 % 101) / 101})
        for i in range(60)
    ]
    note = importance_document(make_result(*trials, space=space))["note"]
    assert "the parameters do not predict the metric" in note


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (run_of(0), "0 trials have a metric at their end, but at least 30 are needed"),
        (run_of(29), "29 trials have a metric"),
        (
            run_of(40, params=SPACE.resolve((0.1, 0, 0.5))),
            "no parameter has more than one value",
        ),
    ],
)
def test_a_missing_importance_is_explained(result: Result, why: str) -> None:
    found = importance_document(result)
    assert [] == found["rows"]
    assert found["note"].startswith("Not computed: ")
    assert why in found["note"]


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    found = importance_document(run_of(60))
    assert ([], True) == (found["rows"], "pip install 'asha-bus[report]'" in found["note"])


def test_the_importance_is_there_as_a_call() -> None:
    result = run_of(120)
    found = result.importance()
    assert ["act", "lr", "noise"] == [one.name for one in found]
    assert found[0].mean > found[1].mean > found[2].mean
    assert [list(one) for one in found] == importance_document(result)["rows"]
    head, _, first, *_, note = repr(found).splitlines()
    assert ["parameter", "importance", "deviation"] == head.split()
    assert ("act", found.note) == (first.split()[0], note)


def test_a_call_without_enough_trials_says_so() -> None:
    found = run_of(29).importance()
    assert ((), repr(found)) == (tuple(found), found.note)
    assert found.note.startswith("Not computed: 29 trials have a metric")


def test_a_call_without_scikit_learn_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r"pip install 'asha-bus\[report\]'"):
        run_of(60).importance()
