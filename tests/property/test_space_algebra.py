"""Any space that the algebra builds: its points resolve, come back, and are described."""

from __future__ import annotations

import pickle
from random import Random
from typing import Any

import msgpack
from hypothesis import assume, given
from hypothesis import strategies as st

from asha_bus import (
    Space,
    choice,
    func,
    grid,
    lognormal,
    loguniform,
    normal,
    option,
    ordinal,
    randint,
    uniform,
)
from asha_bus.core import messages as m
from asha_bus.core.space import Grid, Leaf, LogNormal, LogUniform, Normal, RandInt, Uniform
from asha_bus.formats import wire
from asha_bus.formats.space_form import comparable, describe, space_from

SMALL = st.integers(-20, 20)
STEPS = st.sampled_from([None, 1, 2, 0.1, 0.25])


def total(*values: Any) -> float:
    """The sum of the numbers in ``values``."""
    return sum(value for value in values if isinstance(value, (int, float)))


NUMBERS = st.one_of(
    st.builds(lambda low, size, q: uniform(low, low + size, q), SMALL, st.integers(0, 9), STEPS),
    st.builds(
        lambda low, size, q: loguniform(low, low * size, q),
        st.floats(0.1, 9),
        st.integers(1, 99),
        STEPS,
    ),
    st.builds(
        lambda low, size, q, log: randint(low, low + size, q, log),
        st.integers(1, 99),
        st.integers(0, 99),
        st.integers(1, 9),
        st.booleans(),
    ),
    st.builds(normal, SMALL, st.floats(0.1, 9), STEPS),
    st.builds(lognormal, st.integers(-3, 3), st.floats(0.1, 2), STEPS),
)
PLAIN = st.one_of(
    st.none(), st.integers(-(2**62), 2**62), st.text(max_size=3), st.just([1]), st.booleans()
)
OPTIONS = st.lists(PLAIN, min_size=1, max_size=3)
#: Parameters that stand in several places: by identity.
SHARED = [uniform(0, 1), randint(1, 5), choice("a", "b", None)]


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Containers, options and funcs of ``leaves``."""
    some = st.lists(leaves, min_size=1, max_size=3)
    return st.one_of(
        some,
        some.map(tuple),
        st.dictionaries(st.sampled_from("abc"), leaves, max_size=3),
        some.map(lambda options: choice(*map(option, options))),
        some.map(lambda options: ordinal(*map(option, options))),
    )


LEVEL2 = st.recursive(
    st.one_of(
        NUMBERS, OPTIONS.map(lambda o: choice(*map(option, o))), PLAIN, st.sampled_from(SHARED)
    ),
    nested,
    max_leaves=5,
)
NODES = st.one_of(
    LEVEL2,
    OPTIONS.map(lambda options: grid(*map(option, options))),
    st.lists(LEVEL2, min_size=1, max_size=3).map(lambda options: grid(*map(option, options))),
    st.lists(OPTIONS.map(lambda options: grid(*map(option, options))), min_size=1, max_size=2),
)


@st.composite
def plains(draw: Any, names: str = "xyz") -> Space:
    """A space as it is written; its funcs see parameters that stand in it."""
    tree = draw(st.dictionaries(st.sampled_from(names), NODES, min_size=1))
    seen = [leaf for leaf in Space(tree).parameters.values() if isinstance(leaf, Leaf)]
    top = [node for node in tree.values() if node in seen]
    if top and draw(st.booleans()):
        tree[f"f{names}"] = func(
            total, *draw(st.lists(st.sampled_from(top), min_size=1, max_size=2))
        )
    return Space(tree)


def a_condition(params: dict[str, Any]) -> bool:
    return len(repr(params)) % 2 == 0


@st.composite
def spaces(draw: Any, names: str = "xyz") -> Space:
    """A space built by the algebra."""
    space: Space = draw(plains(names))
    if draw(st.booleans()):
        space = space.sample(draw(st.integers(1, 3)), seed=draw(st.integers(0, 9)))
    if draw(st.booleans()):
        other = draw(plains("uv"))
        places = {leaf for leaf in space.parameters.values() if leaf in SHARED}
        assume(not places & set(other.parameters.values()))
        space = space * other
    if draw(st.booleans()):
        space = space + draw(plains(names))
    assume(space.branches <= 200)
    return space


def assert_within(leaf: Leaf, value: Any) -> None:
    """``value`` is one that ``leaf`` may have."""
    if isinstance(leaf, (Uniform, LogUniform, RandInt)):
        assert leaf.low <= value <= leaf.high
        assert value == leaf.number_of(value)
    elif isinstance(leaf, (Normal, LogNormal)):
        assert value == leaf.number_of(value)


def some_points(space: Space, seed: int) -> list[tuple[int, m.Point]]:
    branches = {0, space.branches - 1, seed % space.branches}
    return [(branch, space.draw_point(Random(seed), branch)) for branch in sorted(branches)]


@given(spaces(), st.integers(0, 2**32))
def test_every_branch_resolves_within_bounds(space: Space, seed: int) -> None:
    for branch, point in some_points(space, seed):
        assert point == space.draw_point(Random(seed), branch)
        assert branch == space.branch_of(point)
        assert len(point) <= space.most_numbers
        sent = m.Assign(1, m.Assignment(0, 1, point, 1, None))
        assert sent == wire.decode_to_worker(wire.encode(sent))
        member = space.members[space.member_of(point)]
        values = space.values(point)
        assert values.keys() <= member.parameters.keys()
        for path, value in values.items():
            assert_within(member.parameters[path], value)
        params = space.resolve(point)
        assert params == space.shown(point)
        assert list(params) == list(member.names)


@given(spaces(), st.integers(0, 2**32))
def test_a_point_of_the_parameters_has_the_same_parameters(space: Space, seed: int) -> None:
    for branch, point in some_points(space, seed):
        params = space.resolve(point)
        again = space.resolve(space.point_of(params))
        assert params == again
        exact = space.point_of(params, branch)
        assert branch == space.branch_of(exact)
        assert params == space.resolve(exact)


@given(spaces(), st.integers(0, 2**32))
def test_a_description_reads_every_point(space: Space, seed: int) -> None:
    packed = msgpack.packb(describe(space))
    description = msgpack.unpackb(packed, use_list=False, strict_map_key=False)
    again = space_from(description)
    assert comparable(describe(space)) == comparable(description)
    travelled = pickle.loads(pickle.dumps(space))
    for branch, point in some_points(space, seed):
        known = {n: v for n, v in space.resolve(point).items() if not n.startswith("f")}
        read = {n: v for n, v in again.resolve(point).items() if not n.startswith("f")}
        assert known == read
        assert branch == again.branch_of(point)
        assert space.resolve(point) == travelled.resolve(point)


@given(spaces())
def test_a_finite_space_is_as_long_as_it_is(space: Space) -> None:
    if space.is_finite:
        listed = list(space)
        assert len(space) == len(listed)
        points = [space.draw_point(Random(0), branch) for branch in range(space.branches)]
        assert listed == [space.resolve(point) for point in points]
        assert all(not space.level2(branch) for branch in range(space.branches))
    else:
        assert any(space.level2(branch) for branch in range(space.branches))


@given(spaces(), st.integers(0, 2**32))
def test_only_parameters_of_level_2_vary_within_a_branch(space: Space, seed: int) -> None:
    for branch, point in some_points(space, seed):
        left = {dimension.parameter for dimension in space.level2(branch)}
        assert not any(isinstance(parameter, Grid) for parameter in left)
        others = {space.draw_point(Random(other), branch) for other in range(8)} | {point}
        assert left or len(others) == 1


@given(spaces(), st.integers(0, 9))
def test_samples_are_a_finite_space(space: Space, seed: int) -> None:
    sampled = space.sample(2, seed=seed)
    assert sampled.is_finite
    assert list(sampled) == list(space.sample(2, seed=seed))
    counts = [p.branches * (1 if p.is_finite else 2) for p in space.members]
    assert counts == [member.branches for member in sampled.members]


@given(spaces())
def test_a_condition_keeps_what_it_holds_of(space: Space) -> None:
    if space.is_finite:
        expected = [params for params in space if a_condition(params)]
        if expected:
            assert expected == list(space.where(a_condition))
