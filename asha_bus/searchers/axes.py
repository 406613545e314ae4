"""Parameters as the models of searchers see them: as axes, with a place for each number.

The searchers that stand on packages of others have this in common. Each makes its
package's own distributions of the axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from asha_bus.core.messages import Point
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space import Choice, Number, Options, Parameter, Refused
from asha_bus.searchers.base import Branch

#: A place on each axis that is there, by the parameter's path.
Places = dict[str, float]


@dataclass(frozen=True)
class Axis:
    """One parameter that is left to a searcher.

    A place on it is the share of random draws that lie below, from 0 to 1: so all places
    are equally likely at first, whatever its distribution. Where the values have no order,
    it is the index of an option.
    """

    path: str
    parameter: Parameter
    #: The options with which it is there, see `asha_bus.core.space.Dimension`.
    when: tuple[tuple[tuple[str, int], ...], ...]

    @property
    def weights(self) -> tuple[float, ...]:
        """How likely each option is, where they have no order; otherwise nothing."""
        if not isinstance(self.parameter, Choice):
            return ()
        weights = self.parameter.weights or (1.0,) * len(self.parameter.options)
        return tuple(weight / sum(weights) for weight in weights)

    def number(self, place: float) -> float:
        """The number of a point at ``place``."""
        parameter, place = self.parameter, float(place)  # packages have numbers of their own
        if isinstance(parameter, Choice):
            return int(place)
        if isinstance(parameter, Options):
            return min(int(place * len(parameter.options)), len(parameter.options) - 1)
        assert isinstance(parameter, Number)
        return parameter.at(place)

    def place(self, number: float, within: float = 0.5) -> float:
        """Where ``number`` of a point lies.

        A quantised number has a stretch of the axis, of which ``within`` tells the place:
        0 is its beginning, and 1 its end.
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

    def is_there(self, numbers: Mapping[str, float]) -> bool:
        """Whether the options chosen by ``numbers`` have this parameter."""
        return any(all(numbers.get(p) == option for p, option in options) for options in self.when)


def axes_of(branch: Branch) -> tuple[Axis, ...]:
    """What is left to a searcher in a branch; a choice comes before what depends on it."""
    return tuple(Axis(*dimension) for dimension in branch.space.level2(branch.number))


def places_of(branch: Branch, axes: Sequence[Axis], point: Point, trial: int) -> Places:
    """Where the point of a trial of the branch lies, on those axes that are there.

    Quantised numbers lie anywhere in their stretches, which the trial's number tells. Were
    all in the middle, the rest of the stretch would look as if nobody had been there.
    """
    numbers = branch.space.numbers(point)
    return {
        axis.path: axis.place(numbers[axis.path], mix(trial, i) / 2**64)
        for i, axis in enumerate(axes)
        if axis.path in numbers
    }


def point_at(branch: Branch, numbers: Mapping[str, float]) -> Point | None:
    """The point with ``numbers`` by path; None where a condition of the space refuses it."""
    try:
        return branch.space.point_at(numbers, branch.number)
    except Refused:
        return None


def drawn(branch: Branch, seed: int) -> Point:
    """A point of the branch that is drawn at random."""
    return branch.space.draw_point(Random(seed), branch.number)
