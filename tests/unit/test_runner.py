"""The runner: how objectives run, fail and stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
from support.loopback import SPACE, Loopback, run_objective, warnings_in

import asha_bus as ab
from asha_bus.core.errors import BusError
from asha_bus.core.schedulers import NoStopping
from asha_bus.core.worker import MAX_ERROR_CHARS
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.runner import Runner
from asha_bus.executor.running_trial import MAX_IGNORED_STOPS
from asha_bus.objective.kinds import INSIDE, TrialFailed
from asha_bus.testing.simulator import Bench

S = ab.TrialState
ASHA = ab.ASHA(max_resource=9)


def test_a_function_is_called_once_per_trial() -> None:
    calls = []

    def objective(x: float) -> float:
        calls.append(x)
        return x / 10

    bench = run_objective(objective, max_trials=3)
    assert [0.0, 1.0, 2.0] == calls
    assert [S.COMPLETED] * 3 == bench.states()
    assert [(0.0, 1), (0.1, 1), (0.2, 1)] == [
        (trial.metric, trial.resource) for trial in bench.experiment.table.trials
    ]


def test_a_stop_closes_the_generator_before_the_next_trial_begins() -> None:
    story: list[tuple[str, float]] = []

    def objective(x: float) -> Iterator[float]:
        story.append(("begin", x))
        try:
            while True:
                yield x  # each trial is worse than the one before
        finally:
            story.append(("close", x))

    bench = run_objective(objective, scheduler=ASHA, max_trials=3)
    assert [(event, x) for x in (0.0, 1.0, 2.0) for event in ("begin", "close")] == story
    assert [S.COMPLETED, S.STOPPED, S.STOPPED] == bench.states()


@pytest.mark.parametrize("scheduler", [ASHA, NoStopping(9), ab.ASHA(9, min_resource=9)])
def test_a_generator_is_never_run_past_max_resource(scheduler: Any) -> None:
    steps = []

    def objective(x: float) -> Iterator[float]:
        for step in range(1_000):
            steps.append(step)
            yield 0.5

    bench = run_objective(objective, scheduler=scheduler, max_trials=1)
    assert list(range(9)) == steps
    assert ([S.COMPLETED], 9) == (bench.states(), bench.trial(0).resource)


def test_a_generator_that_ends_by_itself_completes_its_trial() -> None:
    bench = run_objective(lambda x: (value for value in (0.5, 0.2, 0.4)), max_trials=1)
    trial = bench.trial(0)
    assert (S.COMPLETED, 0.4, 0.2, 3) == (
        trial.state,
        trial.metric,
        trial.best_metric,
        trial.resource,
    )


def test_a_trial_objective_learns_when_to_stop() -> None:
    told: list[list[bool]] = []

    def objective(trial: ab.Trial) -> None:
        told.append([])
        for step in trial:
            told[-1].append(trial.report(trial.params["x"], resource=np.int64(step + 1)))
            assert trial.should_stop is not told[-1][-1]

    bench = run_objective(objective, scheduler=ASHA, max_trials=2)
    assert [[True] * 8 + [False], [False]] == told
    assert [S.COMPLETED, S.STOPPED] == bench.states()


def test_a_trial_knows_who_it_is() -> None:
    seen = []

    def objective(trial: ab.Trial) -> float:
        seen.append((trial.id, trial.attempt, trial.seed, trial.params))
        return 0.5

    bench = run_objective(objective, max_trials=2)
    assert [(n, 1, bench.trial(n).seed, {"x": float(n)}) for n in range(2)] == seen


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("number", "; use trial.id"),
        ("config", "; use trial.params"),
        ("should_prune", "; use trial.should_stop, or what trial.report() returns"),
        ("suggest_float", "; use trial.params, which has the values drawn from the space"),
        ("suggest_categorical", "; use trial.params, which has the values drawn from the space"),
        ("set_user_attr", "; use trial.report(metric, name=value)"),
        ("zebra", ""),
    ],
)
def test_a_name_of_another_tuner_is_answered_with_that_of_the_trial(name: str, end: str) -> None:
    def objective(trial: ab.Trial) -> None:
        getattr(trial, name)

    error = run_objective(objective, max_trials=1).trial(0).error
    assert error is not None
    assert f"AttributeError: a Trial has no attribute {name!r}{end}" == error.splitlines()[-1]


def test_extras_and_lines_arrive() -> None:
    def objective(trial: ab.Trial) -> None:
        trial.log("hello")
        trial.report(0.5, accuracy=np.float32(0.5), note="n")

    bench = run_objective(objective, max_trials=1)
    assert {"accuracy": 0.5, "note": "n"} == bench.trial(0).extras
    assert [((1, 0), 0, "info", "hello")] == list(bench.experiment.table.logs)


def test_an_extra_may_have_the_name_of_anything_but_the_resource() -> None:
    names = ("metric", "self", "trial", "params", "extras", "id", "state")

    def objective(trial: ab.Trial) -> None:
        given = dict.fromkeys(names, np.bool_(True))
        trial.report(0.5, resource=1, **given)
        trial.report(metric=0.25, resource=2)
        trial.report(0.125, 3, **given)

    bench = run_objective(objective, max_trials=1)
    trial = bench.trial(0)
    assert (S.COMPLETED, 0.125, 3) == (trial.state, trial.metric, trial.resource)
    assert dict.fromkeys(names, True) == trial.extras


def test_the_same_names_may_be_yielded() -> None:
    bench = run_objective(lambda x: iter_of((x, {"metric": 3, "resource": 7})), max_trials=1)
    assert {"metric": 3, "resource": 7} == bench.trial(0).extras
    assert (0.0, 1) == (bench.trial(0).metric, bench.trial(0).resource)


def iter_of(*values: Any) -> Iterator[Any]:
    yield from values


@pytest.mark.parametrize(
    ("steps", "shown"),
    [((0, 1, 2), None), ((1, 2, 3), None), ((0, 10, 20), "step=10"), ((10, 20, 30), "step=10")],
)
def test_steps_by_name_that_are_not_the_resource_are_warned_of_once(
    steps: tuple[int, ...], shown: str | None
) -> None:
    def objective(trial: ab.Trial) -> None:
        for step in steps:
            trial.report(0.5, step=step)

    bench = run_objective(objective, max_trials=1)
    assert 3 == bench.trial(0).resource
    texts = [text for _, text in warnings_in(bench)]
    assert (1 if shown else 0) == len(texts)
    assert all(f"got {shown} as an extra" in text for text in texts)


def test_steps_by_name_beside_a_resource_are_an_extra_like_others() -> None:
    def objective(trial: ab.Trial) -> None:
        trial.report(0.5, 1, step=700)
        trial.report(0.5, 2, step="the second")
        trial.report(0.5, step="the third")

    bench = run_objective(objective, max_trials=1)
    assert ({"step": "the third"}, []) == (bench.trial(0).extras, warnings_in(bench))


def test_a_report_needs_a_metric() -> None:
    def objective(trial: ab.Trial) -> None:
        trial.report(resource=1, loss=0.5)

    bench = run_objective(objective, max_trials=1)
    assert S.FAILED is bench.trial(0).state
    words = "report() got no metric; call trial.report(metric)"
    assert words in (bench.trial(0).error or "")


def fail_with(error: BaseException) -> Callable[[float], float]:
    def objective(x: float) -> float:
        if x == 1:
            raise error
        return x

    return objective


@pytest.mark.parametrize(
    "error", [ValueError("no luck"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()]
)
def test_whatever_an_objective_raises_fails_that_trial_only(error: BaseException) -> None:
    bench = run_objective(fail_with(error), max_trials=3)
    assert [S.COMPLETED, S.FAILED, S.COMPLETED] == bench.states()
    text = bench.trial(1).error
    assert text is not None
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in objective\n    raise error\n" in text
    assert type(error).__name__ in text.splitlines()[-1]
    assert "executor/runner.py" not in text  # only what is the user's


def test_an_objective_that_fails_its_trial_sends_extras_along() -> None:
    def objective(x: float) -> Iterator[Any]:
        yield x, {"epoch": 1}
        raise TrialFailed("it diverged", {"why": "nan"})

    bench = run_objective(objective, max_trials=1)
    trial = bench.trial(0)
    assert (S.FAILED, 0.0, 1) == (trial.state, trial.metric, trial.resource)
    assert {"why": "nan"} == trial.extras
    assert "TrialFailed: it diverged" in (trial.error or "")


class Unreadable(Exception):
    """Cannot be shown, nor pickled."""

    def __str__(self) -> str:
        raise RuntimeError("not today")

    def __reduce__(self) -> Any:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("error", "text"),
    [(Unreadable(), "Unreadable"), (ValueError("file \udcff"), "ValueError: file ?")],
)
def test_an_error_that_is_hard_to_show_fails_that_trial_only(error: Exception, text: str) -> None:
    bench = run_objective(fail_with(error), max_trials=3)
    assert [S.COMPLETED, S.FAILED, S.COMPLETED] == bench.states()
    assert text in (bench.trial(1).error or "")


class Unshowable(Exception):
    """Not even its traceback can be made."""

    @property
    def __notes__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("not today")


class Endless(Exception):
    """Says more than anybody wants to read."""

    def __str__(self) -> str:
        return "beginning " + "x" * 1_000_000 + " end"


def test_an_error_whose_traceback_cannot_be_made_fails_that_trial_only() -> None:
    bench = run_objective(fail_with(Unshowable()), max_trials=3)
    assert [S.COMPLETED, S.FAILED, S.COMPLETED] == bench.states()
    assert "Unshowable" in (bench.trial(1).error or "")


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    bench = run_objective(fail_with(Endless()), max_trials=3)
    error = bench.trial(1).error or ""
    assert MAX_ERROR_CHARS <= len(error) < MAX_ERROR_CHARS + 100
    assert error.startswith("Traceback (most recent call last):\n")
    assert " characters left out ...\n" in error
    assert error.rstrip().endswith("x end")


def test_an_error_after_the_stop_is_reported_and_the_verdict_stands() -> None:
    def objective(x: float) -> Iterator[float]:
        try:
            while True:
                yield x
        finally:
            raise OSError("disk full")

    bench = run_objective(objective, scheduler=ASHA, max_trials=2)
    assert [S.COMPLETED, S.STOPPED] == bench.states()
    assert [0] == [trial for trial, text in warnings_in(bench) if "OSError: disk full" in text]
    (warning,) = bench.experiment.table.warnings.values()
    assert (0, 2) == (warning.trial, warning.times)


def test_an_objective_that_ignores_the_stop_is_ended() -> None:
    ignored = []

    def objective(trial: ab.Trial) -> None:
        while True:
            if not trial.report(0.5):
                ignored.append(trial.id)

    bench = run_objective(objective, scheduler=NoStopping(1), max_trials=2)
    assert [S.COMPLETED, S.COMPLETED] == bench.states()
    # the answer that said stop, and as many as may be ignored
    assert [1 + MAX_IGNORED_STOPS] * 2 == [ignored.count(number) for number in range(2)]


def test_reaching_the_target_stops_the_trial() -> None:
    bench = run_objective(lambda x: iter_from(1.0), scheduler=NoStopping(), stop_at=0.25)
    assert bench.ended is not None
    assert ("stop_at", 0.25, 3) == (
        bench.ended.reason,
        bench.trial(0).metric,
        bench.trial(0).resource,
    )


def iter_from(value: float) -> Iterator[float]:
    while True:
        yield value
        value /= 2


def test_without_a_bus_the_worker_ends_whatever_the_objective_does() -> None:
    client = Loopback(Bench())

    def objective(trial: ab.Trial) -> None:
        client.is_cut = True
        try:
            trial.report(0.5)
        except BusError:
            trial.params.clear()  # swallowed

    runner = Runner(cast(Client, client), Interrupter(), objective, SPACE)
    with pytest.raises(BusError, match="the bus was silent"):
        runner.run()
    assert not INSIDE.is_set()


@pytest.mark.parametrize("name", ["launch", "start", "dry_run", "fmin"])
def test_a_run_inside_an_objective_is_refused(name: str) -> None:
    def objective(x: float) -> float:
        settings: Any = {
            "launch": {"engine": "local"},
            "start": {"engine": "local"},
            "dry_run": {"quiet": True},
            "fmin": {"algo": None, "max_evals": 1},
        }
        getattr(ab, name)(lambda y: y, {"y": ab.grid(1)}, **settings[name])
        return x

    bench = run_objective(objective, max_trials=2)
    for trial in (0, 1):
        found = bench.trial(trial).error or ""
        assert f"{name}() was called inside a running objective" in found


def test_hooks_are_not_called_where_no_trial_pauses() -> None:
    seen: list[float] = []

    def objective(trial: ab.Trial) -> None:
        seen.append(trial.checkpoint(never, never))
        for step in trial:
            trial.report(step)
            seen.append(trial.resource)

    def never(path: str) -> None:
        raise AssertionError(path)

    bench = run_objective(objective, scheduler=NoStopping(max_resource=2), max_trials=1)
    assert "COMPLETED" == bench.trial(0).state.value
    assert [0, 1, 2] == seen
    assert None is bench.trial(0).log
