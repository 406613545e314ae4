"""Maps the parameters of a branch to axes, and points to places on them.

The searchers based on other packages share this. Each turns the axes into the distributions of
its package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space import Choice, Number, Options, Parameter, Refused
from asha_bus.searchers.base import Branch

#: The place on each active axis, by the parameter's path.
Places = dict[str, float]


@dataclass(frozen=True)
class Axis:
    """One parameter for the searcher to set.

    A place is the share of random draws below it, from 0 to 1, so all places have the same
    prior probability, whatever the distribution. If the values have no order, a place is
    the index of an option.
    """

    path: str
    parameter: Parameter
    #: The options that activate it, see `asha_bus.core.space.Dimension`.
    when: tuple[tuple[tuple[str, int], ...], ...]

    @property
    def weights(self) -> tuple[float, ...]:
        """The probability of each option if they have no order; otherwise empty."""
        if not isinstance(self.parameter, Choice):
            return ()
        weights = self.parameter.weights or (1.0,) * len(self.parameter.options)
        return tuple(weight / sum(weights) for weight in weights)

    def number(self, place: float) -> float:
        """The number in a point that belongs to ``place``."""
        parameter, place = self.parameter, float(place)  # it may be a number of numpy
        if isinstance(parameter, Choice):
            return int(place)
        if isinstance(parameter, Options):
            return min(int(place * len(parameter.options)), len(parameter.options) - 1)
        assert isinstance(parameter, Number)
        return parameter.at(place)

    def place(self, number: float, within: float = 0.5) -> float:
        """The place of ``number`` of a point.

        A quantised number covers an interval of the axis; ``within`` selects the place in it,
        from 0 (its beginning) to 1 (its end).
        """
        parameter = self.parameter
        if isinstance(parameter, Choice):
            return number
        if isinstance(parameter, Options):
            return (number + within) / len(parameter.options)
        assert isinstance(parameter, Number)
        if parameter.q is None:
            return parameter.share(number)
        low, high = (parameter.share(number + end * parameter.q) for end in (-0.5, 0.5))
        return low + within * (high - low)

    def is_active(self, numbers: Mapping[str, float]) -> bool:
        """Whether the options chosen by ``numbers`` activate this parameter."""
        return any(all(numbers.get(p) == option for p, option in options) for options in self.when)


def axes_of(branch: Branch) -> tuple[Axis, ...]:
    """The axes of a branch; a choice comes before the parameters that depend on it."""
    return tuple(Axis(*dimension) for dimension in branch.space.level2(branch.number))


def places_of(branch: Branch, axes: Sequence[Axis], point: Point, trial: int) -> Places:
    """The places of a trial's point on the active axes.

    The place within the interval of a quantised number is pseudo-random, by the trial's number.
    If it were always the middle, the rest of the interval would look unexplored.
    """
    numbers = branch.space.numbers(point)
    return {
        axis.path: axis.place(numbers[axis.path], mix(trial, i) / 2**64)
        for i, axis in enumerate(axes)
        if axis.path in numbers
    }


def point_at(branch: Branch, numbers: Mapping[str, float]) -> Point | None:
    """The point with ``numbers`` by path; None if a condition of the space excludes it."""
    try:
        return branch.space.point_at(numbers, branch.number)
    except Refused:
        return None


def drawn(branch: Branch, seed: int) -> Point:
    """A random point of the branch."""
    return branch.space.draw_point(Random(seed), branch.number)
