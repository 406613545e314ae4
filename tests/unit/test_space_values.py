"""What a trial gets of a space is its own: nothing that it changes reaches another trial."""

from __future__ import annotations

import threading
from random import Random
from typing import Any

import numpy as np
import pytest

import asha_bus as ab
from asha_bus.core.space import contents
from asha_bus.core.space.fresh import fresh


def change(value: Any) -> None:
    """Change every list, dict, set and bytearray of plain data in ``value``."""
    if isinstance(value, dict):
        for part in [*value.values()]:
            change(part)
        value["changed"] = True
    elif isinstance(value, (list, tuple)):
        for part in value:
            change(part)
        if isinstance(value, list):
            value.append("changed")
    elif isinstance(value, set):
        value.add("changed")
    elif isinstance(value, bytearray):
        value.append(0)


SPACES: dict[str, Any] = {
    "an option": {"x": ab.choice([64, 64], [128])},
    "an ordinal": {"x": ab.ordinal([1], [2])},
    "a value of a grid": {"x": ab.grid({"a": [1]}, {"b": {2}})},
    "a tuple that holds a list": {"x": ab.choice(([1], 2), (3,))},
    "a set": {"x": ab.choice({1, 2}, {3})},
    "bytes": {"x": ab.choice(bytearray(b"a"), bytearray(b"b"))},
    "a constant": {"x": [1, {"y": [2, {3}]}], "z": ab.uniform(0, 1)},
    "a constant set": {"x": {1}, "z": ab.uniform(0, 1)},
    "a constant in an option": {"x": ab.choice({"layers": [8, {9}], "p": ab.uniform(0, 1)}, None)},
    "an argument of a func": {"x": ab.func(lambda found: found, [1, [2]]), "z": ab.uniform(0, 1)},
    "an option for a func": {"x": ab.func(lambda found: found, ab.choice([1], [2]))},
}


@pytest.mark.parametrize("name", SPACES)
def test_what_a_trial_changes_no_other_trial_sees(name: str) -> None:
    space = ab.Space(SPACES[name])
    written = repr(space)
    points = [space.draw_point(Random(seed), 0) for seed in range(4)]
    before = [repr(space.resolve(point)) for point in points]
    for read in (space.resolve, space.shown, space.values):
        for point in points:
            change(read(point))
    change(space.level1(0))
    assert before == [repr(space.resolve(point)) for point in points]
    assert written == repr(space)


def test_a_condition_changes_nothing_either() -> None:
    def asks(x: list[int]) -> bool:
        x.append(0)
        return True

    space = ab.Space(x=ab.grid([1], [2])).where(asks)
    assert [{"x": [1]}, {"x": [2]}] == list(space)


def test_other_objects_are_shared() -> None:
    lock, array, model = threading.Lock(), np.zeros(3), object()
    space = ab.Space(x=ab.choice(ab.option([lock, {"array": array}])), model=model)
    first, second = space.resolve((0,)), space.resolve((0,))
    assert first["x"] is not second["x"]
    assert lock is first["x"][0] is second["x"][0]
    assert array is first["x"][1]["array"] is second["x"][1]["array"]
    assert model is first["model"] is second["model"]


def test_a_func_without_arguments_makes_a_new_object_for_each_trial() -> None:
    kinds = ab.choice({"kind": "list", "made": ab.func(list)}, {"kind": "lock", "made": None})
    space = ab.Space(model=kinds, lock=ab.func(threading.Lock))
    first, second = space.resolve((0,)), space.resolve((0,))
    assert first["lock"] is not second["lock"]
    assert [] == first["model"]["made"] is not second["model"]["made"]


def test_one_list_in_two_places_of_an_option_is_one_list() -> None:
    shared = [1]
    option = {"a": shared, "b": [shared]}
    found = ab.Space(x=ab.choice(option), again=ab.choice(option)).resolve((0, 0))
    assert found["x"]["a"] is found["x"]["b"][0] is found["again"]["a"] is not shared


def test_one_list_in_two_places_of_a_space_is_one_list() -> None:
    shared = [1]
    beside = {
        "a": shared,
        "net": {"a": shared, "lr": ab.uniform(0, 1)},
        "double": ab.func(id, shared),
    }
    space = ab.Space(beside, option=ab.choice({"a": shared, "lr": ab.uniform(0, 1)}, shared))
    for number in (0, 1):
        point = (0.5, number, 0.5)[: 3 - number]
        found = space.resolve(point)
        option = found["option"] if number else found["option"]["a"]
        assert found["a"] is found["net"]["a"] is option is not shared
        assert found["double"] == id(found["a"])
        assert found["a"] is not space.resolve(point)["a"]


def test_a_constant_that_holds_itself_is_copied() -> None:
    loop: dict[str, Any] = {"items": [1]}
    loop["items"].append(loop)
    space = ab.Space(graph=loop, lr=ab.grid(0.1, 0.2), kind=ab.choice("a", "b"))
    found = space.resolve((0, 0))["graph"]
    assert found["items"][1] is found is not loop
    assert space.level1(0)["graph"]["items"][0] == 1
    assert list(space.parameters) == ["lr", "kind"]


def test_a_parameter_behind_many_lists_is_found() -> None:
    hidden: Any = ab.uniform(0, 1)
    for _ in range(5_000):
        hidden = [hidden]
    assert contents.holds_parameter(hidden)


def test_what_holds_itself_is_copied() -> None:
    loop: list[Any] = [1]
    loop.append((loop, {"loop": loop}))
    found = fresh(loop, {})
    assert found is not loop
    assert found[1][0] is found is found[1][1]["loop"]


def test_a_tuple_without_anything_to_change_is_shared() -> None:
    option = (1, ("a", None))
    assert option is ab.Space(x=ab.choice(ab.option(option))).resolve((0,))["x"]


def test_a_copied_option_is_found_again() -> None:
    space = ab.Space(x=ab.choice([np.zeros(2)], [np.ones(2)]), y=ab.grid({1}, {2}))
    for point in [(0, 1), (1, 0)]:
        assert point == space.point_of(space.resolve(point))
