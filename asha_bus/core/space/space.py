"""The space of parameters: what may be tried, and how a point of it is written.

A space has two levels. Level 1, what `grid` and ``.sample(n)`` give, is a list of
configurations that are all run; level 2, what stays stochastic, is the searcher's, in
each of them. A *point* is a flat tuple of plain numbers, which is what travels: options
may be any Python object, since only their index leaves the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NoReturn

from asha_bus.core.checks import check, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space.member import Member, Plain, Product, Sampled
from asha_bus.core.space.options import Options, repeated
from asha_bus.core.space.parameter import Leaf, SubSpace
from asha_bus.core.space.points import Points
from asha_bus.core.space.table import html_of, text_of
from asha_bus.core.space.where import Filtered, NothingLeft

#: What an objective that reports by hand calls its `Trial`, so no parameter has this name.
TRIAL = "trial"


class Space(Points, SubSpace):
    """A set of configurations.

    ``Space(lr=loguniform(1e-4, 1e-1), layers=[randint(8, 32), randint(8, 32)])``,
    or one dict in place of the keywords. Values may be nested dicts, lists and
    tuples; whatever is no parameter is a constant and reaches the objective as it
    is. One parameter in several places has one value. ``A + B`` is the union of two
    spaces, each with its own names, and ``A * B`` has the names of both; a dict may
    stand on one side. Raises `InvalidArgument` where there is nothing in it, and where a
    name at the top is no string, or is ``trial``, which stands for the `Trial`.
    """

    def __init__(self, definition: Mapping[str, Any] | None = None, /, **names: Any) -> None:
        if definition is not None and not isinstance(definition, Mapping):
            raise InvalidArgument(
                f"Space(): the definition must be a dict of parameters, got {definition!r} "
                f"of type {type(definition).__name__}"
            )
        tree = {**(definition or {}), **names}
        if not tree:
            raise InvalidArgument(
                "the space is empty; give it a parameter, as in Space(lr=uniform(0, 1))"
            )
        for name in tree:
            if not isinstance(name, str):
                raise InvalidArgument(
                    f"the space has a parameter named {name!r} of type {type(name).__name__}; "
                    f"names of parameters are strings"
                )
        if TRIAL in tree:
            raise InvalidArgument(
                f"the space has a parameter named {TRIAL!r}, got {tree[TRIAL]!r}, but an objective "
                f"gets its Trial under this name; give the parameter another one, as in "
                f"Space(trial_kind=...)"
            )
        super().__init__([Plain(tree)])

    @classmethod
    def of_parts(cls, parts: Sequence[Member], *, is_positional: bool = False) -> Space:
        """The union of ``parts``, which are what the algebra works on."""
        found = cls.__new__(cls)
        Points.__init__(found, parts, is_positional=is_positional)
        return found

    @staticmethod
    def from_hyperopt(_: object) -> NoReturn:
        """Not here: see `asha_bus.from_hyperopt`."""
        raise AttributeError("Space.from_hyperopt(space) is now asha_bus.from_hyperopt(space)")

    # --- what there is in it ---------------------------------------------------

    @property
    def members(self) -> tuple[Space, ...]:
        """The members of a union; the space itself if it is none."""
        if len(self._parts) == 1:
            return (self,)
        return tuple(self._of([part]) for part in self._parts)

    @property
    def tree(self) -> dict[str, Any]:
        """The dict that was written; InvalidArgument for a union, whose members have one each."""
        if len(self._parts) > 1:
            raise InvalidArgument("a union has no tree of its own; see Space.members")
        return self._parts[0].tree

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level names: what an objective is called with; of a union, all of them."""
        return tuple(dict.fromkeys(name for part in self._parts for name in part.tree))

    @property
    def parameters(self) -> dict[str, Leaf]:
        """Each parameter and func by its path, as ``layers[0]``, ``net.units``.

        What stands within option 1 of a choice has a path such as ``model:1.depth``. Of
        one path in several members of a union the first is told.
        """
        found: dict[str, Leaf] = {}
        for part in self._parts:
            for path, leaf in part.places:
                found.setdefault(path, leaf)
        return found

    @property
    def is_finite(self) -> bool:
        """Whether level 1 is all there is: no parameter is left to a searcher."""
        return all(part.is_finite for part in self._parts)

    @property
    def repetitions(self) -> dict[str, Any]:
        """Values that stand in one parameter twice, by its path: each is run or drawn twice."""
        found = {}
        for path, leaf in self.parameters.items():
            if isinstance(leaf, Options) and (twice := repeated(leaf.options)) is not None:
                found[path] = twice[0]
        return found

    def __len__(self) -> int:
        self._check_finite("has no length")
        return self.branches

    def __bool__(self) -> bool:
        return True  # len() raises where there is no end

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._check_finite("cannot be listed")
        unused = Random(0)  # all is level 1
        for branch in range(self.branches):
            yield self.resolve(self.draw_point(unused, branch))

    def _check_finite(self, problem: str) -> None:
        left = [n for part in self._parts for n in part.tree if n not in part.fixed_names]
        if left:
            raise TypeError(
                f"the space {problem}, since {', '.join(left[:5])} "
                f"{'are' if len(left) > 1 else 'is'} stochastic; use .sample(n) or .draw(seed)"
            )

    # --- the algebra -----------------------------------------------------------

    def __add__(self, other: Space | Mapping[str, Any]) -> Space:
        return _union(self, other)

    def __radd__(self, other: Mapping[str, Any]) -> Space:
        return _union(other, self)

    def __mul__(self, other: Space | Mapping[str, Any]) -> Space:
        return _product(self, other)

    def __rmul__(self, other: Mapping[str, Any]) -> Space:
        return _product(other, self)

    def sample(self, n: int, seed: int = 0) -> Space:
        """``n`` draws of all that is stochastic, as level-1 configurations.

        Each level-1 configuration gets the same ``n``; a finite member of a union stays as
        it is. The same ``seed`` gives the same configurations, which are drawn when they
        are asked for. Raises `InvalidArgument` where n is no whole number above 0.
        """
        check("sample(): n", n, whole(1))
        check("sample(): seed", seed, whole(0))
        return self._of([p if p.is_finite else Sampled(p, n, seed) for p in self._parts])

    def where(self, function: Callable[..., Any]) -> Space:
        """The part of the space of which ``function`` holds.

        It is called with those parameters, by name, that it takes, or with the dict of all
        as its one argument ``params``. Where level 1 tells their values, its configurations
        are filtered, at most 1,000,000 of them; otherwise a draw that does not fit is drawn
        again, at most 1,000 times. Raises `InvalidArgument` where nothing is left, or
        where it raises.
        """
        kept, empty = [], None
        for part in self._parts:
            try:
                kept.append(Filtered(part, function))
            except NothingLeft as error:
                empty = error
        if not kept and empty is not None:
            raise empty
        return self._of(kept)

    def _of(self, parts: Sequence[Member]) -> Space:
        return Space.of_parts(parts, is_positional=self.is_positional)

    def as_option(self) -> dict[str, Any]:
        """The dict that stands for the space as an option of choice()."""
        if len(self._parts) > 1 or not isinstance(self._parts[0], Plain) or self.is_positional:
            raise InvalidArgument(
                f"{self!r} cannot be an option; of a union write each member as an option, and "
                f"use .sample() and .where() on the whole space"
            )
        return self._parts[0].tree

    def draw(self, seed: int) -> dict[str, Any]:
        """One configuration: the parameters that an objective would receive."""
        random = Random(mix(seed))
        return self.resolve(self.draw_point(random, random.randrange(self.branches)))

    def __repr__(self) -> str:
        return " + ".join(map(text_of, self._parts))

    def _repr_html_(self) -> str:
        return html_of(self._parts)


def as_space(space: Any, converters: Iterable[Callable[[Any], Space | None]] = ()) -> Space:
    """``space`` itself, or the `Space` of a dict, or of whatever one of ``converters`` reads.

    A converter returns None for what is not its own. InvalidArgument for anything else.
    """
    if isinstance(space, Space):
        return space
    for convert in converters:
        if (found := convert(space)) is not None:
            return found
    if isinstance(space, Mapping):
        return Space(space)
    raise InvalidArgument(
        f"space must be a Space or a dict of parameters, got {space!r} of type "
        f"{type(space).__name__}"
    )


def _union(first: Any, second: Any) -> Space:
    a, b = as_space(first), as_space(second)
    if a.is_positional != b.is_positional:
        raise InvalidArgument(
            f"{a!r} + {b!r}: one of them is no dict, so an objective could not take both"
        )
    return Space.of_parts((*a.parts, *b.parts), is_positional=a.is_positional)


def _product(first: Any, second: Any) -> Space:
    a, b = as_space(first), as_space(second)
    if a.is_positional or b.is_positional:
        raise InvalidArgument(f"{a!r} * {b!r}: one of them is no dict, so it has no names to add")
    return Space.of_parts([_joined(x, y) for x in a.parts for y in b.parts])


def _joined(a: Member, b: Member) -> Member:
    """The product of two members; of two dicts it is one dict."""
    for name in a.tree:
        if name in b.tree:
            raise InvalidArgument(
                f"both sides of * have {name!r}; rename one, or leave it out on one side"
            )
    if isinstance(a, Plain) and isinstance(b, Plain):
        return Plain({**a.tree, **b.tree})
    factors = [f for one in (a, b) for f in (one.factors if isinstance(one, Product) else [one])]
    return Product(factors)
