"""The member of a space that `Space.where` filters by a condition."""

from __future__ import annotations

import inspect
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from asha_bus.core.checks import name_of, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space.layout import Numbers, Values
from asha_bus.core.space.member import Dimension, Fits, Member
from asha_bus.core.space.options import MAX_GRID_POINTS

#: How many draws may fail the condition in a row before it is an error.
MAX_DRAWS = 1_000

#: How many level-1 configurations are tried when a condition is defined.
_TRIED = 1_000


class NothingLeft(InvalidArgument):
    """A condition is false for every configuration."""


class Refused(InvalidArgument):
    """A condition is false for a point."""


class Predicate:
    """A user's condition, called with those parameters that its signature accepts.

    Raises `InvalidArgument` if it requires a parameter that is not among ``names``.
    """

    def __init__(self, function: Callable[..., Any], names: Mapping[str, Any]) -> None:
        if not callable(function):
            raise InvalidArgument(
                f"where() needs a function of the parameters, got {shortened(function)}"
            )
        self.function = function
        self.name = name_of(function)
        #: The names that it is called with; None: it gets the dict of all parameters.
        self.names = self._accepted(list(names))

    def _accepted(self, names: list[str]) -> list[str] | None:
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):  # some built-ins have no signature
            return names
        positional = [
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if [p.name for p in positional] == ["params"] and "params" not in names:
            return None
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
        for parameter in parameters:
            is_required = parameter.default is parameter.empty
            if parameter.kind is parameter.POSITIONAL_ONLY and is_required:
                raise InvalidArgument(
                    f"where(): {self.name} takes {parameter.name} by position only, but parameters "
                    f"are passed by name; name its only argument params to get them as a dict"
                )
            named = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            if parameter.kind in named and is_required and parameter.name not in names:
                raise InvalidArgument(
                    f"where(): {self.name} requires {parameter.name}, which the space lacks (it "
                    f"has {', '.join(names)}); filter the members of a union before adding them, "
                    f"or give it a default"
                )
        accepted = {p.name for p in parameters}
        return [name for name in names if name in accepted]

    def holds(self, tree: dict[str, Any], numbers: Numbers) -> bool:
        """Whether the condition is true for a point; `InvalidArgument` if it raises."""
        values = Values(numbers)
        names = list(tree) if self.names is None else self.names
        params: dict[str, Any] = {}
        try:
            params.update((name, values.of(tree[name])) for name in names)
            found = self.function(params) if self.names is None else self.function(**params)
            return bool(found)
        except Exception as error:  # user code, which may raise anything
            raise InvalidArgument(
                f"where(): {self.name} raised {type(error).__name__}: {error}, for "
                f"{shortened(params)}"
            ) from error


class Filtered(Member):
    """The part of ``inner`` for which ``function`` is true.

    If level 1 fixes every value that the function takes, the level-1 configurations are
    filtered once. Otherwise a point is drawn again until it satisfies the condition.
    Raises `NothingLeft`, an `InvalidArgument`, if no configuration is left.
    """

    def __init__(self, inner: Member, function: Callable[..., Any]) -> None:
        self.inner = inner
        self.tree, self.slots, self.places = inner.tree, inner.slots, inner.places
        self.fixed_names = inner.fixed_names
        self.predicate = Predicate(function, inner.tree)
        names = self.tree if self.predicate.names is None else self.predicate.names
        self._draws = not inner.fixed_names.issuperset(names)
        #: The level-1 configurations that are left; None: all of them, or not filtered yet.
        self._allowed: array[int] | None = None
        if self._draws:
            self.branches = inner.branches
            for branch in range(min(inner.branches, _TRIED)):
                self.fill(branch, Random(mix(0, branch)), {})
        else:
            self.branches = len(self._kept())
            if not self.branches:
                raise NothingLeft(
                    f"where(): {self.predicate.name} is true for none of {inner.branches} "
                    f"configurations; relax it, or add values that satisfy it"
                )

    def __getstate__(self) -> dict[str, Any]:  # do not send up to a million numbers to a worker
        return {**self.__dict__, "_allowed": None}

    def _kept(self) -> array[int]:
        """The level-1 configurations for which the function is true, in ascending order."""
        if self._allowed is None:
            if self.inner.branches > MAX_GRID_POINTS:
                raise InvalidArgument(
                    f"where(): there are {self.inner.branches} configurations to try, more than "
                    f"{MAX_GRID_POINTS}; filter the factors before multiplying them"
                )
            unused = Random(0)  # the values that the function takes are not drawn

            def holds(branch: int) -> bool:
                numbers: Numbers = {}
                self.inner.fill(branch, unused, numbers)
                return self.predicate.holds(self.tree, numbers)

            self._allowed = array("q", filter(holds, range(self.inner.branches)))
        return self._allowed

    def _inner_branch(self, branch: int) -> int:
        return branch if self._draws else self._kept()[branch]

    def fill(self, branch: int, random: Random, numbers: Numbers) -> None:
        if not self._draws:
            self.inner.fill(self._inner_branch(branch), random, numbers)
            return
        for _ in range(MAX_DRAWS):
            drawn: Numbers = {}
            self.inner.fill(branch, random, drawn)
            if self.predicate.holds(self.tree, drawn):
                numbers.update(drawn)
                return
        last = Values(drawn, shown=True).of(self.tree)
        raise InvalidArgument(
            f"where(): {self.predicate.name} was true for none of {MAX_DRAWS} draws, the last "
            f"being {shortened(last)}; relax it, or narrow the ranges"
        )

    def branch_of(self, numbers: Numbers) -> int:
        branch = self.inner.branch_of(numbers)
        if not self._draws:
            kept = self._kept()
            place = bisect_left(kept, branch)
            if place < len(kept) and kept[place] == branch:
                return place
        elif self.predicate.holds(self.tree, numbers):
            return branch
        raise Refused(
            f"where(): {self.predicate.name} is false for "
            f"{shortened(Values(numbers, shown=True).of(self.tree))}"
        )

    def fixed(self, branch: int) -> Numbers:
        return self.inner.fixed(self._inner_branch(branch))

    def complete(self, known: Numbers, fits: Fits) -> None:
        self.inner.complete(known, fits)

    def left(self, branch: int) -> list[Dimension]:
        return self.inner.left(self._inner_branch(branch))
