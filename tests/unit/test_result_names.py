"""What users look for on a result: names of other tuners, the best trials, a trial's repr."""

from __future__ import annotations

import inspect
import math
import re
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from support.results import make_result, make_trial

from asha_bus import InvalidArgument, Result, RungRecord, TrialRecord, TrialState
from asha_bus.results.elsewhere import ELSEWHERE

S = TrialState
NAN = math.nan
RUNG_0, RUNG_1 = (RungRecord(k, r, 0.5, 1, 1, 0.5, "continue") for k, r in ((0, 1), (1, 3)))


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("best_params", "; use result.best.params"),
        ("best_trial", "; use result.best"),
        ("best_trials", "; use result.top(k)"),
        ("get_best_result", "; use result.best"),
        ("trials_dataframe", "; use result.to_pandas()"),
        ("get_dataframe", "; use result.to_pandas()"),
        ("errors", "; use result.failures"),
        ("plot_parallel_coordinate", "; use result.plot_parallel()"),
        ("bets", ""),
    ],
)
def test_a_name_of_another_tuner_is_answered_with_ours(name: str, end: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(make_result(), name)
    assert f"a Result has no attribute {name!r}{end}" == str(caught.value)


def test_each_name_that_is_proposed_exists() -> None:
    for theirs, ours in ELSEWHERE.items():
        assert not hasattr(Result, theirs), theirs
        name = re.match(r"\w+", ours)
        assert name is not None
        assert hasattr(make_result(), name[0]), ours


def test_the_top_trials_stand_as_the_best_is_chosen() -> None:
    result = make_result(
        make_trial(0, S.STOPPED, 0.1, RUNG_0),
        make_trial(1, metric=0.9),
        make_trial(2, S.STOPPED, 0.8, RUNG_0, RUNG_1),
        make_trial(3, metric=NAN),
        make_trial(4, S.FAILED, 0.0),
        make_trial(5, metric=0.3),
    )
    assert [5, 1, 2, 0] == [trial.id for trial in result.top(10)]
    assert [5, 1] == [trial.id for trial in result.top(2)]
    assert (result.best,) == result.top(1)
    assert () == make_result().top(3)
    two: Any = np.int64(2)
    assert [5, 1] == [trial.id for trial in result.top(two)]
    with pytest.raises(InvalidArgument, match="k must be a whole number of at least 1, got 0"):
        result.top(0)


def test_the_top_trials_of_repeats_are_of_different_configurations() -> None:
    metrics = [0.1, 0.9, 0.3, 0.4, 0.2, 0.2]
    trials = [make_trial(i, metric=metric, repeat=i % 2) for i, metric in enumerate(metrics)]
    result = make_result(*trials)
    assert [4, 2, 0] == [trial.id for trial in result.top(3)]
    assert result.best is result.top(1)[0]


def test_a_trial_is_shown_in_one_short_line() -> None:
    trial = make_trial(7, metric=1 / 3, params={"x": 0.5}, resource=9, log="epoch 1", error="boom")
    assert "TrialRecord(7, COMPLETED, metric=0.333333, resource=9, params={'x': 0.5})" == repr(
        trial
    )
    assert "metric=None" in repr(make_trial(0, metric=None))
    assert "metric=nan" in repr(make_trial(0, metric=NAN))
    long = repr(make_trial(0, params={"text": "a" * 10_000, "odd": Odd()}))
    assert (True, True) == (len(long) < 300, long.isprintable())
    assert repr(make_trial(0, params={"odd": Odd()})).isprintable()


class Odd:
    def __repr__(self) -> str:
        return "two\nlines \x1b[31m"


def test_each_field_of_a_trial_is_documented() -> None:
    names = set(re.findall(r"^ {4}(\w+): ", inspect.getdoc(TrialRecord) or "", re.M))
    assert {field.name for field in fields(TrialRecord)} == names
