"""Points of any space: they travel as plain numbers and become what was written."""

from __future__ import annotations

from math import prod
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asha_bus import RandomSearch, Space, choice, grid, loguniform, option, randint, uniform
from asha_bus.core import messages as m
from asha_bus.core.space import Grid, LogUniform, Parameter, RandInt, Uniform
from asha_bus.formats import wire

OPTIONS = st.lists(
    st.one_of(st.none(), st.integers(), st.text(), st.just([1])), min_size=1, max_size=3
)
BOUNDS = st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2).map(sorted)
POSITIVE = st.tuples(*[st.floats(1e-300, 1e300)] * 2).map(sorted)
INTS = st.tuples(*[st.integers(-(2**62), 2**62)] * 2).map(sorted)
LEAVES = st.one_of(
    BOUNDS.map(lambda bounds: uniform(*bounds)),
    POSITIVE.map(lambda bounds: loguniform(*bounds)),
    INTS.map(lambda bounds: randint(*bounds)),
    OPTIONS.map(lambda options: choice(*map(option, options))),
    OPTIONS.map(lambda options: grid(*map(option, options))),
    st.integers(),
    st.none(),
)
TREES = st.recursive(
    LEAVES,
    lambda node: st.one_of(
        st.lists(node, max_size=3),
        st.lists(node, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from("abc"), node, max_size=3),
    ),
    max_leaves=6,
)
SPACES = st.dictionaries(st.sampled_from("xyz"), TREES, min_size=1).map(Space)


def assert_shaped(written: Any, value: Any) -> None:
    """``value`` is what ``written`` stands for."""
    if isinstance(written, (Uniform, LogUniform, RandInt)):
        assert written.low <= value <= written.high
        assert type(written.low) is type(value)
    elif isinstance(written, Parameter):
        options = written.options  # type: ignore[attr-defined]
        # a list is copied
        assert any(one is value or repr(one) == repr(value) for one in options)
    elif isinstance(written, dict):
        assert list(written) == list(value)
        for key, child in written.items():
            assert_shaped(child, value[key])
    elif isinstance(written, (list, tuple)):
        assert type(written) is type(value)
        assert len(written) == len(value)
        for child, part in zip(written, value, strict=True):
            assert_shaped(child, part)
    else:
        assert written is value


@given(SPACES, st.integers(0, 2**32), st.integers(0, 10**6))
def test_a_point_travels_and_becomes_what_was_written(space: Space, seed: int, number: int) -> None:
    point = RandomSearch().draw(space, number, seed)
    assert point == RandomSearch(seed).draw(space, number, 0)
    sent = m.Assign(1, m.Assignment(number, 1, point, seed, None))
    received = wire.decode_to_worker(wire.encode(sent))
    assert sent == received
    assert_shaped(space.tree, space.resolve(received.assignment.point))


@given(SPACES)
def test_branches_are_all_combinations_of_the_grids(space: Space) -> None:
    grids = [leaf for leaf in space.parameters.values() if isinstance(leaf, Grid)]
    assert prod(len(leaf.options) for leaf in grids) == space.branches
    points = [space.draw_point(Random(1), branch) for branch in range(space.branches)]
    assert list(range(space.branches)) == [space.branch_of(point) for point in points]
    assert space.is_finite is (len(grids) == len(space.parameters))
    if space.is_finite:
        drawn = [space.resolve(space.draw_point(Random(0), n)) for n in range(space.branches)]
        assert repr(drawn) == repr(list(space))
