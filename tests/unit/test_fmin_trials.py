"""The trials of fmin beside hyperopt's, without a run."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any

import hyperopt
import numpy as np
import pytest
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.core.space import Space

S = ab.TrialState


def never(params: Any) -> float:
    raise AssertionError("nothing is to be run")


def test_documents_are_those_of_hyperopt() -> None:
    space = Space(x=ab.uniform(0, 1))
    states = [S.COMPLETED, S.STOPPED, S.CANCELLED, S.FAILED, S.LOST, S.COMPLETED]
    ended = [
        make_trial(number, state=state, metric=float(metric), point=(0.25,), extras={"n": number})
        for number, (state, metric) in enumerate(zip(states, [3, 1, 0, 0, 0, 2], strict=True))
    ]
    trials = ab.Trials()
    trials.fill(make_result(*ended, space=space))
    assert [0, 1, 5] == trials.tids
    assert [2, 2, 4, 3, 3, 2] == [one["state"] for one in trials.documents]
    assert ["ok", "suspended", "ok"] == trials.statuses()
    assert [3.0, 1.0, 2.0] == trials.losses()
    assert {"loss": 2.0, "status": "ok", "n": 5} == trials.best_trial["result"]
    assert {"x": 0.25} == trials.argmin
    assert ({"x": [0.25] * 3}, {"x": [0, 1, 5]}) == (trials.vals, trials.idxs)
    theirs = hyperopt.Trials()
    theirs.insert_trial_docs(trials.documents)
    theirs.refresh()
    assert theirs.argmin == trials.argmin
    assert (theirs.tids, theirs.losses(), theirs.vals) == (
        trials.tids,
        trials.losses(),
        trials.vals,
    )
    assert json.loads(json.dumps(theirs.vals)) == theirs.vals


def test_trials_can_be_pickled_without_their_run(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = ab.SparkTrials(parallelism=3)
    trials.fill(make_result(make_trial(0, metric=1.0)))
    again = pickle.loads(pickle.dumps(trials))
    assert (trials.losses(), 3) == (again.losses(), again.parallelism)
    assert again.result is None
    # nothing is run and no session is started, since there are as many trials already
    monkeypatch.setattr("asha_bus.driver.spark.most_slots", never)
    assert {"x": 0.0} == ab.fmin(never, {"x": ab.uniform(0, 1)}, max_evals=1, trials=again)


def test_trials_have_the_words_of_hyperopts() -> None:
    space = Space(x=ab.uniform(0, 1))
    extras = {"loss_variance": 0.5, "true_loss": 7.0}
    ours, theirs = ab.SparkTrials(), hyperopt.Trials()
    ours.fill(
        make_result(
            make_trial(0, metric=1.0, extras=extras),
            make_trial(1, metric=2.0, extras={**extras, "true_loss": 9.0}),
            make_trial(2, S.FAILED, None),
            make_trial(3, S.CANCELLED, None),
            space=space,
        )
    )
    theirs.insert_trial_docs(ours.documents)
    theirs.refresh()
    ours.refresh()
    np.random.seed(0)
    known = theirs.average_best_error()
    np.random.seed(0)
    assert known == ours.average_best_error()
    assert (theirs.specs, theirs.idxs_vals) == (ours.specs, ours.idxs_vals)
    for state in (2, 3, [2, 4]):
        assert theirs.count_by_state_synced(state) == ours.count_by_state_synced(state)
        assert theirs.count_by_state_unsynced(state) == ours.count_by_state_unsynced(state)
    assert (2, 1, 1, 4) == (
        ours.count_successful_trials(),
        ours.count_failed_trials(),
        ours.count_cancelled_trials(),
        ours.count_total_trials(),
    )
    attached = ours.trial_attachments(ours.trials[1])
    attached["net"] = b"1"
    assert (["net"], {"ATTACH::1::net": b"1"}) == (list(attached), ours.attachments)
    assert {} == dict(ours.trial_attachments(ours.trials[0]))
    del attached["net"]
    assert 0 == len(attached)
    ours.delete_all()
    assert (0, [], {}) == (len(ours), ours.documents, ours.vals)
    with pytest.raises(ValueError, match="Empty loss"):
        ours.average_best_error()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parallelism": "2"}, "parallelism must be"),
        ({"timeout": -1}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"loss_threshold": "low"}, "loss_threshold must be"),
        ({"resource_profile": object()}, "resource_profile is not supported"),
    ],
)
def test_what_spark_trials_refuse(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        ab.SparkTrials(**arguments)


def test_trials_that_are_empty_have_no_best_one() -> None:
    with pytest.raises(ab.AshaBusError, match="no trial has a loss yet"):
        ab.Trials().argmin  # noqa: B018 - a property
    with pytest.raises(hyperopt.exceptions.AllTrialsFailed):
        ab.Trials().best_trial  # noqa: B018 - a property


@pytest.mark.parametrize("loss", [math.inf, -math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_never_the_best(loss: float) -> None:
    space = Space(x=ab.uniform(0, 1))
    trials = ab.Trials()
    odd = make_trial(0, metric=loss, point=(0.25,))
    trials.fill(make_result(odd, make_trial(1, metric=9.0, point=(0.5,)), space=space))
    assert {"x": 0.5} == trials.argmin
    assert trials.result is not None
    assert trials.result.best is not None
    assert 1 == trials.result.best.id == trials.best_trial["tid"]
    trials.fill(make_result(odd, space=space))
    with pytest.raises(hyperopt.exceptions.AllTrialsFailed, match="finite loss") as raised:
        trials.argmin  # noqa: B018 - a property
    assert isinstance(raised.value, ab.AllTrialsFailed)
    assert raised.value.result is trials.result


def test_documents_have_hyperopts_name() -> None:
    trials = ab.Trials()
    trials.fill(make_result(make_trial(0, S.FAILED, None)))
    assert [3] == [one["state"] for one in trials._dynamic_trials]
    assert 0 == len(trials)
