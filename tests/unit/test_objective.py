"""What an objective is, and which parameters it takes."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from asha_bus.core.errors import InvalidArgument
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import check_parameters, shape_of


def returns(x: float, y: float = 0.0) -> float:
    return x


def yields(x: float) -> Iterator[float]:
    yield x


def by_hand(trial: object) -> None:
    pass


def with_data(data: list[int], trial: object) -> None:
    pass


class Model:
    """An object with methods of each shape."""

    def __call__(self, x: float) -> float:
        return x

    def epochs(self, x: float) -> Iterator[float]:
        yield x

    def control(self, trial: object) -> None:
        pass

    @staticmethod
    def static(trial: object) -> None:
        pass

    @classmethod
    def of_class(cls, x: float) -> Iterator[float]:
        yield x


class YieldingCall:
    def __call__(self, x: float) -> Iterator[float]:
        yield x


class WithFunc:
    """Looks like a partial, and is none."""

    func, args, keywords = "train", 5, None

    def __call__(self, x: float) -> Iterator[float]:
        yield x


@functools.wraps(by_hand)
def decorated(*args: Any, **named: Any) -> None:
    by_hand(*args, **named)


async def coroutine(x: float) -> float:
    return x


async def async_generator(x: float) -> AsyncIterator[float]:
    yield x


class AsyncCall:
    async def __call__(self, x: float) -> float:
        return x


@pytest.mark.parametrize(
    ("objective", "shape"),
    [
        (returns, Shape.FUNCTION),
        (lambda x: x, Shape.FUNCTION),
        (Model(), Shape.FUNCTION),
        (functools.partial(returns, y=2), Shape.FUNCTION),
        (max, Shape.FUNCTION),
        (yields, Shape.GENERATOR),
        (Model().epochs, Shape.GENERATOR),
        (Model.of_class, Shape.GENERATOR),
        (YieldingCall(), Shape.GENERATOR),
        (WithFunc(), Shape.GENERATOR),
        (functools.partial(yields), Shape.GENERATOR),
        (functools.partial(functools.partial(Model().epochs)), Shape.GENERATOR),
        (by_hand, Shape.TRIAL),
        (lambda trial: None, Shape.TRIAL),
        (Model().control, Shape.TRIAL),
        (Model.static, Shape.TRIAL),
        (functools.partial(with_data, [1]), Shape.TRIAL),
        (decorated, Shape.TRIAL),
    ],
)
def test_the_shape_depends_on_the_kind_of_objective(objective: object, shape: Shape) -> None:
    assert shape is shape_of(objective)


def trial_and_yield(trial: object) -> Iterator[float]:
    yield 0.5


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (5, "objective must be a function, got 5 of type int"),
        (None, "objective must be a function, got None of type NoneType"),
        ("train", "objective must be a function, got 'train' of type str"),
        (yields(0.5), "objective must be a function, got <generator .* of type generator"),
        (Model, "objective must be a function, got the class Model; pass an instance"),
        (coroutine, "objective coroutine is asynchronous; .* asyncio.run"),
        (async_generator, "objective async_generator is asynchronous"),
        (AsyncCall(), "objective AsyncCall is asynchronous"),
        (functools.partial(coroutine), "is asynchronous"),
        (trial_and_yield, "objective trial_and_yield takes trial and yields"),
    ],
)
def test_an_object_that_is_not_an_objective_is_an_error(objective: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        shape_of(objective)


def of_config(config: dict[str, float]) -> float:
    return config["x"]


def keyword_only(*, x: float, y: float = 1.0) -> float:
    return x


def anything(**params: float) -> float:
    return 0.0


def some_and_rest(x: float, *rest: float, **params: float) -> float:
    return x


def by_position(x: float, /, y: float) -> float:
    return x


def optional_by_position(x: float = 0.0, /, y: float = 0.0) -> float:
    return x


def trial_and_options(trial: object, verbose: bool = False, **rest: Any) -> None:
    pass


def trial_and_more(trial: object, data: list[int], folder: str) -> None:
    pass


@pytest.mark.parametrize(
    ("objective", "names"),
    [
        (returns, ["x"]),
        (returns, ["y", "x"]),
        (keyword_only, ["x"]),
        (anything, ["a", "b"]),
        (some_and_rest, ["x", "z"]),
        (optional_by_position, ["y"]),
        (Model(), ["x"]),
        (Model().epochs, ["x"]),
        (functools.partial(returns, 0.5), ["y"]),
        (functools.partial(returns, x=0.5), ["y"]),
        (by_hand, ["whatever"]),
        (trial_and_options, ["whatever"]),
        (functools.partial(trial_and_more, data=[1], folder="."), ["x"]),
    ],
)
def test_parameters_that_fit(objective: Callable[..., Any], names: list[str]) -> None:
    check_parameters(objective, names)


@pytest.mark.parametrize(
    ("objective", "names", "message"),
    [
        (
            returns,
            ["y"],
            r"returns requires x, which the space lacks \(it has y\); .*data={'x': \.\.\.}",
        ),
        (keyword_only, ["y"], "objective keyword_only requires x, which the space lacks"),
        (
            of_config,
            ["x", "y"],
            "requires config, .*; parameters come by name, as in of_config.x, y.$",
        ),
        (Model().epochs, ["z"], r"objective Model.epochs requires x.* add it to the space, give"),
        (returns, ["x", "z"], r"the space has z, which objective returns does not take; .*params"),
        (lambda x: x, ["x", "z"], "the space has z, which objective .*<lambda> does not take"),
        (functools.partial(returns, 0.5), ["x"], "the space has x, which objective returns does"),
        (by_position, ["x", "y"], "takes x by position only, .* remove the / from its signature"),
        (optional_by_position, ["x"], "the space has x, which objective .* does not take"),
        (trial_and_more, ["x"], "takes trial and also requires data, folder; read them from trial"),
    ],
)
def test_parameters_that_do_not_fit_are_named(
    objective: Callable[..., Any], names: list[str], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check_parameters(objective, names)


def test_a_builtin_without_a_signature_takes_anything() -> None:
    check_parameters(max, ["x"])
