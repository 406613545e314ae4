"""What an objective captured: whether it can travel, and which name is to blame."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Space, choice, func, grid, uniform
from asha_bus.objective.closure import check_space_travels, check_travels


def driver_only(name: str, module: str = "pyspark.sql.session") -> Any:
    """An object whose class is named like one of Spark's."""
    return type(name, (), {"__module__": module})()


session = driver_only("SparkSession")
lock = threading.Lock()
table = {"rows": [1, 2]}


class Holder:
    """Holds something, and is an objective in several ways."""

    def __init__(self, **held: Any) -> None:
        self.__dict__.update(held)

    def __call__(self, x: float) -> float:
        return x

    def train(self, x: float) -> float:
        return x


class Mocked:
    """Has the attributes of a partial, with other things in them."""

    func, args, keywords = None, None, None

    def __call__(self, x: float) -> float:
        return x


def check(objective: Callable[..., Any]) -> None:
    check_travels(objective, cloudpickle.dumps)


def closure_of(value: Any) -> Callable[[float], float]:
    captured = value

    def objective(x: float) -> float:
        return x if captured else 0.0

    return objective


def uses_a_global(x: float) -> float:
    return x if session else 0.0


def uses_a_global_within(x: float) -> list[float]:
    def inner() -> Any:
        return [session for _ in range(3)]

    return [x, len(inner())]


def uses_an_attribute_of_that_name(x: Any) -> Any:
    return x.session


def has_a_default(x: float, spark: Any = session) -> float:
    return x


def has_a_keyword_default(x: float, *, spark: Any = session) -> float:
    return x


def plain(x: float, rows: Any = table) -> float:
    return x + len(table)


@pytest.mark.parametrize(
    "objective",
    [
        plain,
        lambda x: x,
        closure_of({"a": [1, 2]}),
        Holder(model=[1, 2]),
        Holder(model=None).train,
        functools.partial(plain, rows=[1]),
        max,
        uses_an_attribute_of_that_name,
        Mocked(),
        closure_of(Mocked()),
        closure_of(driver_only("SparkSession", module="mine.sparklike")),
    ],
)
def test_an_objective_with_plain_things_travels(objective: Callable[..., Any]) -> None:
    check(objective)


@pytest.mark.parametrize(
    ("objective", "path"),
    [
        (closure_of(session), "the variable 'captured'"),
        (closure_of([1, session]), r"the variable 'captured'\[1\]"),
        (closure_of({"s": session}), r"the variable 'captured'\['s'\]"),
        (closure_of(Holder(spark=session)), r"the variable 'captured'\.spark"),
        (uses_a_global, "the global 'session'"),
        (uses_a_global_within, "the global 'session'"),
        (has_a_default, "the default of 'spark'"),
        (has_a_keyword_default, "the default of 'spark'"),
        (Holder(spark=session), r"the objective\.spark"),
        (Holder(spark=session).train, r"self\.spark"),
        (functools.partial(plain, session), "argument 0 of the partial"),
        (functools.partial(plain, rows=session), "argument 'rows' of the partial"),
        (functools.partial(uses_a_global), "the global 'session'"),
        (closure_of(uses_a_global), "the global 'session'"),
    ],
)
def test_a_captured_session_is_named(objective: Callable[..., Any], path: str) -> None:
    with pytest.raises(
        InvalidArgument, match=f"captured a SparkSession as {path}, which exists on"
    ):
        check(objective)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("SparkContext", "pyspark.context"),
        ("SparkContext", "pyspark.core.context"),
        ("SparkSession", "pyspark.sql.connect.session"),
        ("DataFrame", "pyspark.sql.dataframe"),
        ("RDD", "pyspark.rdd"),
    ],
)
def test_everything_that_lives_on_the_driver_is_found(name: str, module: str) -> None:
    with pytest.raises(InvalidArgument, match=f"captured a {name} as the variable 'captured'"):
        check(closure_of(driver_only(name, module)))


def test_nothing_is_pickled_where_a_session_was_found() -> None:
    def dumps(value: Any) -> bytes:
        raise AssertionError("not to be called")

    with pytest.raises(InvalidArgument, match="SparkSession"):
        check_travels(uses_a_global, dumps)


@pytest.mark.parametrize(
    ("objective", "path"),
    [
        (closure_of(lock), "the variable 'captured'"),
        (closure_of(Holder(guard=lock)), r"the variable 'captured'\.guard"),
        (Holder(guard=lock), r"the objective\.guard"),
        (Holder(guard={"a": [lock]}).train, r"self\.guard\['a'\]\[0\]"),
        (functools.partial(plain, rows=lock), "argument 'rows' of the partial"),
    ],
)
def test_an_object_that_cannot_be_pickled_is_named(
    objective: Callable[..., Any], path: str
) -> None:
    message = f"cannot be sent to the workers: {path} is a lock, which cannot be pickled .*lock"
    with pytest.raises(InvalidArgument, match=message):
        check(objective)


class Secretive:
    """Cannot be pickled, and holds nothing that is to blame."""

    __slots__ = ("guard",)

    def __reduce__(self) -> Any:
        raise RuntimeError("not today")

    def __call__(self, x: float) -> float:
        return x


def test_an_object_that_refuses_to_be_pickled_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"the objective is a Secretive.*\(not today\)"):
        check(Secretive())


def test_an_unbound_variable_does_not_break_the_check() -> None:
    def objective(x: float) -> float:
        return later + x

    check_travels(objective, lambda value: b"")
    later = 1.0
    assert 1.5 == objective(0.5)


def test_things_that_hold_each_other_are_looked_at_once() -> None:
    first, second = Holder(), Holder()
    first.other, second.other = second, first  # type: ignore[attr-defined]
    check(closure_of(first))


def test_a_space_of_plain_things_travels() -> None:
    check_space_travels(Space(x=uniform(0, 1), y=choice("a", lambda: 1)), cloudpickle.dumps)


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (Space(x=uniform(0, 1), y={"z": choice(1, lock)}), r"y\.z"),
        (Space(x=uniform(0, 1), y=lock), "y"),
        (Space(x=1) + {"z": lock}, "z"),
        (Space(x=uniform(0, 1), y=func(lock.acquire)), "y"),
        (Space(x=grid(1, 2)).where(lambda x: lock is not None), r"a condition of where\(\)"),
    ],
)
def test_an_option_that_cannot_be_pickled_is_named(space: Space, name: str) -> None:
    with pytest.raises(
        InvalidArgument, match=f"the space cannot be sent .*: {name} holds an object"
    ):
        check_space_travels(space, cloudpickle.dumps)
