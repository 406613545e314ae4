"""Objectives behind decorators, partials and native code: which kind they are, and how they run."""

from __future__ import annotations

import asyncio
import functools
import pickle
import re
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from operator import itemgetter
from typing import Any

import cloudpickle
import pytest
from hyperopt import hp
from support.loopback import run_objective

import asha_bus as ab
from asha_bus.core.errors import InvalidArgument
from asha_bus.hyperopt.objective import fmin_objective
from asha_bus.hyperopt.space import from_hyperopt
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import check_parameters, check_takes, shape_of
from asha_bus.objective.shared import dumps

S = ab.TrialState
POSITIONAL = from_hyperopt([hp.uniform("x", 0, 1)])
PLAN = ab.SuccessiveHalving([(2, 1), (2, 1)])


def bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that hides what it decorates."""

    def wrapper(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    return wrapper


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that says what it decorates."""
    return functools.wraps(function)(bare(function))


def steps(x: float) -> Iterator[float]:
    for step in range(1, 100):
        yield x + 1 / step


def by_hand(trial: ab.Trial) -> None:
    for _ in trial:
        trial.report(trial.params["x"])


async def awaited(x: float) -> float:
    return x


async def awaited_steps(x: float) -> AsyncIterator[float]:
    yield x


@functools.wraps(awaited)
def runs_a_loop(x: float) -> float:
    return asyncio.run(awaited(x))


@functools.wraps(steps)
def last_of(x: float) -> float:
    return list(steps(x))[-1]


class Model:
    def fit(self, x: float, rate: float) -> Iterator[float]:
        yield x * rate

    half = functools.partialmethod(fit, rate=0.5)

    @wrapping
    def control(self, trial: ab.Trial) -> None:
        by_hand(trial)


class Wrapper:
    """As numba's and Cython's decorators make."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._function(*args, **named)


class Countdown:
    """An iterator of the least kind, with nothing but ``__next__``."""

    def __init__(self, metrics: list[float]) -> None:
        self._metrics = metrics
        self.is_closed = False

    def __next__(self) -> float:
        if not self._metrics:
            raise StopIteration
        return self._metrics.pop()

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("objective", "shape"),
    [
        (wrapping(steps), Shape.GENERATOR),
        (wrapping(wrapping(functools.partial(steps))), Shape.GENERATOR),
        (functools.partial(wrapping(steps)), Shape.GENERATOR),
        (functools.lru_cache(steps), Shape.GENERATOR),
        (Wrapper(steps), Shape.GENERATOR),
        (Model().half, Shape.GENERATOR),
        (wrapping(by_hand), Shape.TRIAL),
        (Wrapper(by_hand), Shape.TRIAL),
        (Model().control, Shape.TRIAL),
        (runs_a_loop, Shape.FUNCTION),
        (bare(by_hand), Shape.FUNCTION),
        (itemgetter("x"), Shape.FUNCTION),
        (ab.objective_kind("trial")(bare(by_hand)), Shape.TRIAL),
        (ab.objective_kind("generator")(bare(steps)), Shape.GENERATOR),
        (ab.objective_kind("function")(steps), Shape.FUNCTION),
        (functools.partial(wrapping(ab.objective_kind("trial")(bare(by_hand)))), Shape.TRIAL),
    ],
)
def test_the_kind_is_that_of_what_is_behind(objective: object, shape: Shape) -> None:
    assert shape is shape_of(objective)


@pytest.mark.parametrize("asynchronous", [awaited, awaited_steps, functools.partial(awaited)])
def test_an_asynchronous_function_is_refused_before_it_runs(asynchronous: object) -> None:
    with pytest.raises(InvalidArgument, match="is asynchronous"):
        shape_of(asynchronous)


@pytest.mark.parametrize(
    "objective",
    [
        lambda x: iter([0.3, 0.2, 0.1]),
        lambda x: map(float, ["0.3", "0.2", "0.1"]),
        lambda x: Countdown([0.1, 0.2, 0.3]),
        lambda x: ((metric, {"at": x}) for metric in (0.3, 0.2, 0.1)),
        lambda trial: iter([0.3, 0.2, 0.1]),
        bare(lambda x: iter([0.3, 0.2, 0.1])),
    ],
)
def test_an_iterator_is_consumed_like_a_generator(objective: Any) -> None:
    trial = run_objective(objective, max_trials=1).trial(0)
    assert (S.COMPLETED, 0.1, 3) == (trial.state, trial.metric, trial.resource)


@pytest.mark.parametrize("scheduler", [ab.ASHA(9, min_resource=3, reduction_factor=3), PLAN])
def test_an_iterator_is_closed_at_a_stop(scheduler: Any) -> None:
    made: list[Countdown] = []

    def objective(x: float) -> Countdown:
        made.append(Countdown([x] * 100))
        return made[-1]

    declared = ab.objective_kind("generator")(objective)
    bench = run_objective(declared, scheduler=scheduler, max_trials=2)
    assert [S.COMPLETED, S.STOPPED] == bench.states()
    assert [True, True] == [each.is_closed for each in made]


def test_an_iterator_that_pauses_continues_where_it_was() -> None:
    bench = run_objective(wrapping(steps), scheduler=PLAN, max_trials=2)
    best = bench.trial(0)
    assert (S.COMPLETED, 4, 0.25) == (best.state, best.resource, best.metric)


@pytest.mark.parametrize("asynchronous", [awaited, awaited_steps])
def test_what_only_an_event_loop_can_run_fails_its_trial_in_words(asynchronous: Any) -> None:
    bench = run_objective(lambda x: asynchronous(x), max_trials=1)
    assert [S.FAILED] == bench.states()
    last = (bench.trial(0).error or "").rstrip().splitlines()[-1]
    assert re.search(
        r"returned <(coroutine|async_generator) .*; write a plain function, which .*asyncio", last
    )


@pytest.mark.parametrize("objective", [runs_a_loop, last_of])
def test_a_decorator_may_make_a_function_of_what_it_wraps(objective: Any) -> None:
    trial = run_objective(objective, max_trials=1).trial(0)
    assert (S.COMPLETED, 1) == (trial.state, trial.resource)


def test_what_a_trial_objective_returns_after_its_reports_does_not_matter() -> None:
    def objective(trial: ab.Trial) -> Iterator[str]:
        trial.report(0.5)
        return iter(["no", "metrics"])

    assert [S.COMPLETED] == run_objective(objective, max_trials=1).states()


def test_a_declared_kind_runs_behind_a_decorator_that_hides_it() -> None:
    declared = ab.objective_kind("trial")(bare(by_hand))
    bench = run_objective(declared, scheduler=ab.ASHA(9), max_trials=2)
    assert [S.COMPLETED, S.STOPPED] == bench.states()


def test_the_signature_of_a_declared_objective_is_not_looked_at() -> None:
    @ab.objective_kind("function")
    def objective(config: float, /) -> float:
        return config

    check_parameters(objective, ["x", "y"])
    check_takes(objective, ab.Space(x=ab.uniform(0, 1)), ["frame"])
    check_takes(objective, POSITIONAL)
    check_parameters(ab.objective_kind("trial")(objective), ["x"])


def test_a_function_of_native_code_takes_one_argument_by_position() -> None:
    check_takes(max, POSITIONAL)


def changes_its_arguments(x: float) -> float:
    return x


@functools.wraps(changes_its_arguments)
def of_another(**params: float) -> float:
    return changes_its_arguments(params["lr"])


@pytest.mark.parametrize("names", [["lr"], ["x", "lr"]])
def test_an_error_about_a_decorated_function_says_how_to_overrule_it(names: list[str]) -> None:
    with pytest.raises(InvalidArgument, match=r"declare it with ab\.objective_kind"):
        check_parameters(of_another, names)
    check_parameters(ab.objective_kind("function")(of_another), names)


def test_a_wrong_kind_and_a_wrong_function_are_named() -> None:
    with pytest.raises(InvalidArgument, match="kind is 'step'; use one of function, generator"):
        ab.objective_kind("step")
    with pytest.raises(InvalidArgument, match="decorates a function, got 5 of type int"):
        ab.objective_kind("trial")(5)  # type: ignore[arg-type]


class WithoutSignature:
    """An objective whose signature cannot be read."""

    @property
    def __signature__(self) -> Any:
        raise RuntimeError("no signature")

    def __call__(self, x: float) -> float:
        return x


def test_an_object_whose_signature_raises_gets_the_parameters_by_name() -> None:
    check_takes(WithoutSignature(), ab.Space(x=ab.uniform(0, 1)))
    found = ab.dry_run(WithoutSignature(), {"x": ab.uniform(0, 1)}, quiet=True)
    assert ["completed"] == [trial.outcome for trial in found.trials[:1]]


LOCK = threading.Lock()


@ab.objective_kind("trial")
def locked(one: ab.Trial) -> None:
    """Uses what cannot be sent, as the function of a module may."""
    with LOCK:
        one.report(0.5)


def test_a_declared_objective_of_a_module_is_sent_by_its_name() -> None:
    assert pickle.loads(dumps(locked)) is locked
    sent = pickle.loads(dumps(ab.objective_kind("trial")(by_hand)))
    assert (Shape.TRIAL, by_hand) == (sent.shape, sent.function)
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with pytest.raises(TypeError, match="lock"):
            dumps(locked)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.parametrize(
    "objective", [ab.objective_kind("trial")(bare(by_hand)), wrapping(steps), Wrapper(by_hand)]
)
def test_a_dry_run_takes_them_all(objective: Any) -> None:
    found = ab.dry_run(objective, {"x": ab.uniform(0, 1)}, steps=3, quiet=True)
    assert ("stopped", 3) == (found.trials[0].outcome, len(found.trials[0].steps))


@pytest.mark.parametrize(
    ("function", "metrics"),
    [
        (lambda params: map(float, [0.3, 0.2]), [0.3, 0.2]),
        (lambda params: Countdown([0.2, 0.3]), [0.3, 0.2]),
        (wrapping(lambda params: iter([{"loss": 0.3, "status": "ok"}])), [0.3]),
        (functools.wraps(steps)(lambda params: 0.5), [0.5]),
    ],
)
def test_fmin_takes_iterators_and_decorated_functions(function: Any, metrics: list[float]) -> None:
    values = fmin_objective(function)({"x": 0.0})
    assert metrics == [value[0] if isinstance(value, tuple) else value for value in values]


def test_fmin_refuses_an_asynchronous_function_behind_a_partial() -> None:
    with pytest.raises(InvalidArgument, match="is asynchronous"):
        fmin_objective(functools.partial(AsyncCall()))


class AsyncCall:
    async def __call__(self, params: object) -> float:
        return 0.5
