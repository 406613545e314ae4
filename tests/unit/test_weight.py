"""An objective or a space that is slow to send: the warning, and what is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest

import asha_bus as ab
from asha_bus.core.space import Space
from asha_bus.objective.weight import warnings_of_weight

MB = 1_000_000
LARGE = bytes(20 * MB)
SPACE = Space(x=ab.uniform(0, 1))


def found(objective: Callable[..., Any], space: Space = SPACE, most: int = 1 << 30) -> list[str]:
    sizes = len(cloudpickle.dumps(objective)), len(cloudpickle.dumps(space))
    return list(warnings_of_weight(objective, space, sizes, cloudpickle.dumps, most))


def capturing(table: bytes, small: bytes = b"") -> Callable[[float], float]:
    def objective(x: float) -> float:
        return x + len(table) + len(small)

    return objective


BARE: Any = capturing(b"")


def uses_a_global(x: float) -> float:
    return x + len(LARGE)


uses_a_global.__module__ = "__main__"


class Model:
    """An objective that holds something."""

    def __init__(self, table: bytes) -> None:
        self.table = table

    def __call__(self, x: float) -> float:
        return x

    def train(self, x: float) -> float:
        return x


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (capturing(LARGE, bytes(MB)), "the variable 'table'"),
        (uses_a_global, "the global 'LARGE'"),
        (Model(LARGE), "the objective.table"),
        (Model(LARGE).train, "self.table"),
        (functools.partial(BARE, LARGE), "argument 0 of the partial"),
        (functools.partial(capturing(LARGE)), "the variable 'table'"),
        (functools.partial(BARE, table=LARGE), "argument 'table' of the partial"),
    ],
)
def test_the_largest_captured_object_is_named_with_its_size(objective: Any, name: str) -> None:
    [text] = found(objective)
    assert "the objective has 2" in text
    assert f", 20.0 MB of it for {name}: pass what is large as data=" in text


def test_many_objects_of_one_size_are_not_named() -> None:
    [text] = found(functools.partial(BARE, *(bytes(5 * MB + i) for i in range(4))))
    assert "has to be sent: pass what" in text


def test_large_parts_of_a_space_are_named() -> None:
    [text] = found(capturing(b""), Space(x=ab.choice(LARGE, b""), y=b"small"))
    assert "the space has 20.0 MB" in text and "20.0 MB of it for x" in text
    [text] = found(capturing(b""), Space(x=ab.grid(1), y=[LARGE]))
    assert "20.0 MB of it for y" in text


def test_what_is_small_is_not_mentioned() -> None:
    assert [] == found(capturing(bytes(10 * MB)), Space(x=ab.choice(bytes(10 * MB))))


def test_what_exceeds_the_limit_is_refused() -> None:
    with pytest.raises(ab.InvalidArgument, match=r"the limit is 15,000,000 bytes: .*max_data_byt"):
        found(capturing(LARGE), most=15 * MB)
    with pytest.raises(ab.InvalidArgument, match="the space has 20.0 MB"):
        found(capturing(b""), Space(x=ab.choice(LARGE)), most=15 * MB)
