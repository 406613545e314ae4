"""Programs written for Optuna, run on asha-bus beside Optuna itself."""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import GridSampler, RandomSampler, TPESampler
from optuna.trial import TrialState
from support import optuna_objectives as objectives
from support.clusters import require_java

import asha_bus as ab
import asha_bus.optuna as ours
from asha_bus.core import messages as m
from asha_bus.core.events import Received
from asha_bus.formats.journal import Replayer, read_header
from asha_bus.launching._launch import start_gated

pytestmark = pytest.mark.slow

NOP = optuna.pruners.NopPruner


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def run(objective: Any, n_trials: int = 6, *, n_jobs: int = 1, **given: Any) -> Any:
    """The study after a run on asha-bus; ``given`` is for the study."""
    study = ours.create_study(engine="local", **given)
    study.optimize(objective, n_trials=n_trials, n_jobs=n_jobs)
    return study


def both(objective: Any, n_trials: int = 6, **given: Any) -> tuple[Any, Any]:
    """The study of Optuna and ours; each value of ``given`` is made twice by a call."""
    theirs = optuna.create_study(**{name: make() for name, make in given.items()})
    theirs.optimize(objective, n_trials=n_trials)
    return theirs, run(objective, n_trials, **{name: make() for name, make in given.items()})


def params(study: Any) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials]


def states(study: Any) -> list[str]:
    return [trial.state.name for trial in study.trials]


# --- what is suggested --------------------------------------------------------


def test_a_fixed_space_gets_the_same_trials_as_with_optuna() -> None:
    theirs, mine = both(objectives.six, 20, sampler=lambda: TPESampler(seed=1), pruner=NOP)
    assert params(theirs) == params(mine)
    assert [trial.values for trial in theirs.trials] == [trial.values for trial in mine.trials]
    assert theirs.best_params == mine.best_params
    assert theirs.trials[0].distributions == mine.trials[0].distributions


def test_a_conditional_space_has_only_what_was_asked_for() -> None:
    study = run(objectives.branches, 30, n_jobs=2, sampler=TPESampler(seed=3))
    families = {trial.params["family"]: set(trial.params) for trial in study.trials}
    assert {"forest": {"family", "depth"}, "svc": {"family", "c"}} == families
    assert study.result is not None
    assert [trial.params for trial in study.result.trials] == params(study)


def test_a_random_sampler_draws_in_the_worker_the_same_for_the_same_seed() -> None:
    first, second = (run(objectives.six, 8, n_jobs=2, sampler=RandomSampler(seed=5)) for _ in "ab")
    assert params(first) == params(second)
    assert len({trial.params["x"] for trial in first.trials}) == 8
    assert all(-5 <= trial.params["x"] <= 5 for trial in first.trials)


def asking(path: Path) -> set[int]:
    """The trials that have asked the searcher for a value, by the journal."""
    data = path.read_bytes()
    _, at = read_header(data, str(path))
    received = [entry.event for entry in Replayer(data[:at], str(path)).walk(data[at:])]
    messages = (event.message for event in received if isinstance(event, Received))
    return {message.trial for message in messages if isinstance(message, m.Draw)}


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_first_trials_of_a_fixed_space_ask_for_names(tmp_path: Path, workers: int) -> None:
    study = ours.create_study(engine="local", sampler=TPESampler(seed=1))
    journal = tmp_path / "run.journal"
    study.optimize(objectives.six, n_trials=30, n_jobs=workers, journal=journal)
    assert 1 <= len(asking(journal)) <= workers + 1


def test_a_branch_is_asked_for_when_it_is_first_met(tmp_path: Path) -> None:
    study = ours.create_study(engine="local", sampler=TPESampler(seed=3))
    journal = tmp_path / "run.journal"
    study.optimize(objectives.branches, n_trials=30, n_jobs=1, journal=journal)
    families = [trial.params["family"] for trial in study.trials]
    assert {families.index("svc"), families.index("forest")} == asking(journal)


def test_a_random_sampler_asks_for_nothing(tmp_path: Path) -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(seed=3))
    journal = tmp_path / "run.journal"
    study.optimize(objectives.branches, n_trials=10, n_jobs=2, journal=journal)
    assert set() == asking(journal)
    read = ab.Result.from_journal(journal)
    assert params(study) == [trial.params for trial in read.trials]


def test_a_grid_is_run_once_and_ends_the_run() -> None:
    grid = {"x": [0.0, 0.5, 1.0]}
    study = run(objectives.narrows, 10, sampler=GridSampler(grid, seed=0))
    assert [0.0, 0.5, 1.0] == sorted(trial.params["x"] for trial in study.trials)


def test_the_range_of_a_name_may_change() -> None:
    theirs, mine = both(objectives.narrows, sampler=lambda: TPESampler(seed=1), pruner=NOP)
    for study in (theirs, mine):
        assert [trial.number + 1 for trial in study.trials] == [
            trial.distributions["x"].high for trial in study.trials
        ]


def test_enqueued_trials_come_first() -> None:
    found = []
    for make in (optuna.create_study, lambda **given: ours.create_study(engine="local", **given)):
        study = make(sampler=TPESampler(seed=1))
        study.enqueue_trial({"x": 0.5, "kind": None})
        study.enqueue_trial({"x": 1.5}, user_attrs={"mine": 1})
        study.optimize(objectives.six, n_trials=4, n_jobs=1)
        found.append(study)
    theirs, mine = found
    assert [(0.5, None)] == [(t.params["x"], t.params["kind"]) for t in mine.trials[:1]]
    assert 1.5 == mine.trials[1].params["x"]
    assert {"mine": 1} == mine.trials[1].user_attrs
    assert states(theirs) == states(mine)
    assert params(theirs)[:2] == params(mine)[:2]


def test_another_call_continues_the_study() -> None:
    study = run(objectives.tells, 3, sampler=TPESampler(seed=1))
    study.optimize(objectives.tells, n_trials=3, n_jobs=1)
    assert [0, 1, 2, 3, 4, 5] == [trial.user_attrs["number"] for trial in study.trials]
    assert 6 == len({trial.params["x"] for trial in study.trials})


# --- pruning and ends -----------------------------------------------------------


def test_a_pruning_loop_is_pruned_and_keeps_its_final_values() -> None:
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=2)
    study = run(objectives.curve, 20, n_jobs=2, sampler=RandomSampler(seed=1), pruner=pruner)
    counted = Counter(states(study))
    assert {"COMPLETE", "PRUNED"} == set(counted)
    for trial in study.trials:
        x = trial.params["x"]
        if trial.state is TrialState.COMPLETE:
            assert x + 100 == trial.value
            assert {step: x / (step + 1) for step in range(9)} == trial.intermediate_values
        else:
            assert trial.value == x / (trial.last_step + 1)
            assert 0 in trial.intermediate_values


@pytest.mark.parametrize(
    "pruner",
    [
        optuna.pruners.HyperbandPruner(1, 9, 3),
        optuna.pruners.MedianPruner(n_startup_trials=2),
        optuna.pruners.NopPruner(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_pruners_are_schedulers(pruner: Any) -> None:
    study = run(objectives.curve, 12, n_jobs=2, sampler=RandomSampler(seed=1), pruner=pruner)
    is_nop = isinstance(pruner, optuna.pruners.NopPruner)
    assert is_nop == ("PRUNED" not in states(study))
    assert "COMPLETE" in states(study)


def test_an_objective_that_never_asks_is_never_pruned() -> None:
    theirs, mine = both(objectives.never_asks, 8, sampler=lambda: TPESampler(seed=1))
    assert states(theirs) == states(mine)
    assert [t.intermediate_values for t in theirs.trials] == [
        t.intermediate_values for t in mine.trials
    ]


def test_steps_may_be_left_out() -> None:
    theirs, mine = both(objectives.reports_each_tenth, 4, sampler=lambda: TPESampler(seed=1))
    assert [t.intermediate_values for t in theirs.trials] == [
        t.intermediate_values for t in mine.trials
    ]


def test_an_objective_may_stop_a_study_whose_workers_wait_for_nobody() -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(seed=1), pruner=NOP())
    study.optimize(objectives.stops, n_trials=2_000, n_jobs=2)
    assert 4 <= len(study.trials) < 2_000
    assert {"COMPLETE"} == set(states(study)[:4])
    assert "study.stop() of trial 3" == study.result.message  # type: ignore[union-attr]


def test_an_objective_may_prune_its_trial_itself() -> None:
    theirs, mine = both(objectives.prunes_itself, 6, sampler=lambda: TPESampler(seed=1))
    assert states(theirs) == states(mine)
    assert [trial.value for trial in theirs.trials] == [trial.value for trial in mine.trials]


def test_user_attributes_come_back() -> None:
    theirs, mine = both(objectives.tells, 3, sampler=lambda: TPESampler(seed=1))
    assert [t.user_attrs for t in theirs.trials] == [t.user_attrs for t in mine.trials]


def test_callbacks_see_each_trial_and_may_stop_the_study() -> None:
    for study in (optuna.create_study(), ours.create_study(engine="local")):
        seen: list[int] = []

        def stop(called: Any, trial: Any, study: Any = study, seen: list[int] = seen) -> None:
            assert called is study
            seen.append(trial.number)
            assert called.best_value <= trial.value
            if len(seen) == 3:
                called.stop()

        study.optimize(objectives.six, n_trials=50, n_jobs=1, callbacks=[stop])
        assert [0, 1, 2] == seen
        assert 3 == len(study.trials)
    mine: Any = study
    assert "study.stop() of a callback, after trial 2" == mine.result.message


def test_a_study_without_an_end_runs_until_it_is_stopped() -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(seed=1))
    study.optimize(
        objectives.six,
        n_jobs=2,
        callbacks=[lambda called, trial: called.stop() if len(called.trials) > 4 else None],
    )
    assert 5 <= len(study.trials) <= 7
    assert {"COMPLETE"} == set(states(study))  # those that ran were not cut off


# --- what goes wrong ------------------------------------------------------------


@pytest.mark.parametrize(
    ("objective", "error"),
    [
        (objectives.raises_on_2, KeyError),
        (objectives.changes_kind, ValueError),
        (objectives.changes_choices, ValueError),
        (objectives.changes_in_a_trial, ValueError),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
@pytest.mark.parametrize("sampler", [TPESampler, RandomSampler])
def test_what_the_objective_raises_is_raised_as_with_optuna(
    objective: Any, error: Any, sampler: Any
) -> None:
    for study in (
        optuna.create_study(sampler=sampler(seed=1)),
        ours.create_study(engine="local", sampler=sampler(seed=1)),
    ):
        with pytest.raises(error):
            study.optimize(objective, n_trials=6, n_jobs=1)
        assert "FAIL" == states(study)[-1]
        assert {"COMPLETE"} >= set(states(study)[:-1])


def test_the_message_names_the_parameter_and_both_distributions() -> None:
    with pytest.raises(ValueError, match=r"'x' was suggested from Float.*now from Int.*other name"):
        run(objectives.changes_kind, sampler=TPESampler(seed=1))


def test_exceptions_may_be_caught() -> None:
    for study in (optuna.create_study(), ours.create_study(engine="local")):
        study.optimize(objectives.raises_on_2, n_trials=4, n_jobs=1, catch=(LookupError,))
        assert ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"] == states(study)


@pytest.mark.parametrize("value", [None, "no", float("nan"), (1.0, 2.0)], ids=str)
def test_a_bad_value_fails_its_trial_only(value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, mine = both(objectives.returns(value), 3)
    assert ["COMPLETE", "FAIL", "FAIL"] == states(theirs) == states(mine)


@pytest.mark.parametrize("value", [2, True, float("inf"), (1.5,)], ids=str)
def test_a_value_is_what_it_is_in_optuna(value: Any) -> None:
    theirs, mine = both(objectives.returns(value), 2)
    assert theirs.trials[1].value == mine.trials[1].value


def test_what_a_callback_raises_is_raised() -> None:
    def fails(study: Any, trial: Any) -> None:
        raise ZeroDivisionError("in a callback")

    study = ours.create_study(engine="local")
    with pytest.raises(ZeroDivisionError, match="in a callback"):
        study.optimize(objectives.six, n_trials=9, n_jobs=1, callbacks=[fails])
    assert 1 == len(study.trials)


class Raises(RandomSampler):
    def sample_independent(self, *args: Any) -> Any:
        raise ZeroDivisionError("no luck")


def test_a_sampler_that_raises_ends_the_run_in_words() -> None:
    with pytest.raises(ab.SearcherError, match="draw.* for 'x' of trial 0 raised ZeroDivision"):
        run(objectives.curve, sampler=Raises())


# --- resumed runs, and other engines -------------------------------------------------


@pytest.mark.parametrize("sampler", [TPESampler, RandomSampler])
def test_a_new_study_continues_a_journaled_run(tmp_path: Path, sampler: Any) -> None:
    journal = tmp_path / "run.journal"
    first = ours.create_study(engine="local", sampler=sampler(seed=1))
    with pytest.raises(KeyError):
        first.optimize(objectives.raises_on_2, n_trials=6, n_jobs=1, journal=journal)
    seen: list[int] = []
    second = ours.create_study(engine="local", sampler=sampler(seed=2))
    second.optimize(
        objectives.raises_on_2,
        n_trials=5,
        n_jobs=1,
        journal=journal,
        resume=True,
        callbacks=[lambda study, trial: seen.append(trial.number)],
    )
    assert ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"] == states(second)
    assert params(first) == params(second)[:3]
    assert [3, 4] == seen
    assert 5 == len({trial.params["x"] for trial in second.trials})


def test_a_timeout_ends_a_study() -> None:
    study = ours.create_study(engine="local", sampler=RandomSampler(seed=1))
    study.optimize(objectives.six, timeout=1.5, n_jobs=1)
    assert study.result is not None
    assert "max_time" == study.result.reason
    assert study.trials


@pytest.mark.spark
@pytest.mark.timeout(180)
def test_a_study_runs_on_spark() -> None:
    require_java()
    study = ours.create_study(
        sampler=TPESampler(seed=1), pruner=optuna.pruners.SuccessiveHalvingPruner(1, 2)
    )
    study.enqueue_trial({"x": 0.5})
    study.optimize(objectives.curve, n_trials=12, n_jobs=2)
    assert 12 == len(study.trials)
    assert 0.5 == study.trials[0].params["x"]
    assert {"COMPLETE", "PRUNED"} >= set(states(study))
    assert study.best_value >= 100


def test_a_study_outlives_its_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[ab.Run] = []

    def start(*given: Any) -> ab.Run:
        runs.append(start_gated(*given))
        return runs[0]

    def kill(study: Any, trial: Any) -> None:
        if trial.number in (1, 3):
            os.kill(runs[0].bus_pid, signal.SIGKILL)

    monkeypatch.setattr("asha_bus.optuna._study.start_gated", start)
    study = ours.create_study(engine="local", sampler=TPESampler(seed=3))
    study.optimize(objectives.changes_its_names, n_trials=8, n_jobs=2, callbacks=[kill])
    assert ["COMPLETE"] * 8 == states(study)
    assert [{"x", f"x{number}"} for number in range(8)] == [set(one) for one in params(study)]


def test_optunas_views_of_a_study_work() -> None:
    study = run(objectives.curve, 8, sampler=RandomSampler(seed=1), pruner=NOP())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these plots are experimental
        for plot in ("plot_optimization_history", "plot_intermediate_values", "plot_slice"):
            assert getattr(optuna.visualization.matplotlib, plot)(study) is not None
    assert {"x": 1.0} == optuna.importance.get_param_importances(study)
    assert study.best_trials == [study.best_trial]
    made = study.result.to_optuna()
    assert params(study) == params(made)
    assert [t.values for t in study.trials] == [t.values for t in made.trials]
    assert [t.intermediate_values for t in study.trials] == [
        t.intermediate_values for t in made.trials
    ]


@pytest.mark.parametrize("sampler", [TPESampler, RandomSampler])
def test_kinds_that_workers_mix_are_an_error_of_the_objective(sampler: Any) -> None:
    with pytest.raises(ValueError, match=r"'x'.*Cannot set different distribution kind.*name"):
        run(objectives.mixes_kinds, 8, n_jobs=2, sampler=sampler(seed=1))
