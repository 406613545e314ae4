"""The space of parameters: the configurations that a run may try.

A space has two levels. Level 1, made by `grid` and ``.sample(n)``, is a list of
configurations that are all run. Level 2 is everything else: in each of these
configurations, the searcher chooses the remaining parameters. A *point* is a
configuration as a flat tuple of plain numbers, the form that is sent to workers. An
option is sent as its index, so it may be any Python object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, NoReturn

from asha_bus.core.checks import ANY_WHOLE, as_builtin, check, shortened, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.pseudorandom import mix
from asha_bus.core.space.layout import check_paths
from asha_bus.core.space.member import Member, Plain, Product, Sampled
from asha_bus.core.space.options import Options, repeated
from asha_bus.core.space.parameter import Leaf, SubSpace
from asha_bus.core.space.points import Points
from asha_bus.core.space.table import html_of, text_of
from asha_bus.core.space.where import Filtered, NothingLeft

#: An objective gets its `Trial` by this name, so no parameter may have it.
TRIAL = "trial"


class Space(Points, SubSpace):
    """A set of configurations.

    Values may be nested dicts, lists and tuples. Anything that is not a parameter is a
    constant and reaches the objective unchanged. A parameter used in several places has
    the same value in each. ``A + B`` is the union of two spaces, each with its own names.
    ``A * B`` combines every configuration of A with every one of B, under the names of
    both. One side of ``+`` and ``*`` may be a plain dict.

    Args:
        definition: The parameters by name. None (default): only the keywords.
        **names: More parameters; they replace those of the same name in ``definition``.

    Raises:
        InvalidArgument: The space is empty, or a top-level name is not a string or is
            ``trial``, the name under which an objective gets its `Trial`.

    Example:
        >>> space = Space(lr=loguniform(1e-4, 1e-1), layers=[randint(8, 32), randint(8, 32)])
        >>> sorted(space.draw(seed=1))
        ['layers', 'lr']
    """

    def __init__(self, definition: Mapping[str, Any] | None = None, /, **names: Any) -> None:
        if definition is not None and not isinstance(definition, Mapping):
            raise InvalidArgument(
                f"Space(): the definition must be a dict of parameters, got "
                f"{shortened(definition)} of type {type(definition).__name__}"
            )
        tree = {**(definition or {}), **names}
        if not tree:
            raise InvalidArgument(
                "the space is empty; give it a parameter, as in Space(lr=uniform(0, 1))"
            )
        for name in tree:
            if not isinstance(name, str):
                raise InvalidArgument(
                    f"the space has a parameter named {shortened(name)} of type "
                    f"{type(name).__name__}; names of parameters are strings"
                )
        if TRIAL in tree:
            raise InvalidArgument(
                f"the space has a parameter named {TRIAL!r}, got {shortened(tree[TRIAL])}, but an "
                f"objective gets its Trial under this name; rename the parameter, as in "
                f"Space(trial_kind=...)"
            )
        super().__init__([_of_own_paths(Plain(tree))])

    @classmethod
    def of_parts(cls, parts: Sequence[Member], *, is_positional: bool = False) -> Space:
        """The union of ``parts``, the members that the algebra works on."""
        found = cls.__new__(cls)
        Points.__init__(found, parts, is_positional=is_positional)
        return found

    @staticmethod
    def from_hyperopt(_: object) -> NoReturn:
        """Not here: see `asha_bus.from_hyperopt`."""
        raise AttributeError("Space.from_hyperopt(space) is now asha_bus.from_hyperopt(space)")

    # --- contents ---------------------------------------------------------------

    @property
    def members(self) -> tuple[Space, ...]:
        """The members of a union; only the space itself if it is not a union."""
        if len(self._parts) == 1:
            return (self,)
        return tuple(self._of([part]) for part in self._parts)

    @property
    def tree(self) -> dict[str, Any]:
        """The dict that was written.

        Raises:
            InvalidArgument: The space is a union; see `members`.
        """
        if len(self._parts) > 1:
            raise InvalidArgument("a union has no tree of its own; use Space.members")
        return self._parts[0].tree

    @property
    def names(self) -> tuple[str, ...]:
        """The top-level names, which an objective is called with; in a union, those of all."""
        return tuple(dict.fromkeys(name for part in self._parts for name in part.tree))

    @property
    def parameters(self) -> dict[str, Leaf]:
        """Each parameter and func by its path, such as ``layers[0]`` or ``net.units``.

        A parameter inside option 1 of a choice has a path such as ``model:1.depth``. If
        several members of a union have the same path, the first one counts.
        """
        found: dict[str, Leaf] = {}
        for part in self._parts:
            for path, leaf in part.places:
                found.setdefault(path, leaf)
        return found

    @property
    def is_finite(self) -> bool:
        """Whether level 1 fixes everything, so that no parameter is left to the searcher."""
        return all(part.is_finite for part in self._parts)

    @property
    def repetitions(self) -> dict[str, Any]:
        """Values listed twice in one parameter, by its path; they are run or drawn twice."""
        found = {}
        for path, leaf in self.parameters.items():
            if isinstance(leaf, Options) and (twice := repeated(leaf.options)) is not None:
                found[path] = twice[0]
        return found

    def __len__(self) -> int:
        self._check_finite("has no length")
        return self.branches

    def __bool__(self) -> bool:
        return True  # without this, bool() would call len(), which may raise

    def __iter__(self) -> Iterator[Any]:
        self._check_finite("cannot be listed")
        unused = Random(0)  # level 1 fixes everything
        for branch in range(self.branches):
            yield self.resolve(self.draw_point(unused, branch))

    def _check_finite(self, problem: str) -> None:
        left = [n for part in self._parts for n in part.tree if n not in part.fixed_names]
        if left:
            raise TypeError(
                f"the space {problem}, because {', '.join(left[:5])} "
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
        """Replace all that is random by ``n`` draws, which are then all run.

        Each level-1 configuration gets ``n`` draws. A finite member of a union stays as it
        is. Samples are drawn on demand, not stored.

        Args:
            n: The number of draws per level-1 configuration, at least 1.
            seed: A whole number from 0 (default); the same seed gives the same samples.

        Returns:
            A finite space.

        Raises:
            InvalidArgument: ``n`` or ``seed`` is not such a whole number, or the samples
                are too many.

        Example:
            >>> len(Space(lr=uniform(0, 1), depth=grid(2, 4)).sample(10))
            20
        """
        n, seed = as_builtin(n), as_builtin(seed)
        check("sample(): n", n, whole(1))
        check("sample(): seed", seed, whole(0))
        return self._of([p if p.is_finite else Sampled(p, n, seed) for p in self._parts])

    def where(self, function: Callable[..., Any]) -> Space:
        """Keep only the configurations for which ``function`` is true.

        If level 1 fixes every value that the function takes, the level-1 configurations
        are filtered, at most 1,000,000 of them. Otherwise a draw that fails the condition
        is repeated, at most 1,000 times.

        Args:
            function: A condition. It is called with the parameters that it takes, by name.
                If its only argument is named ``params``, it gets the dict of all.

        Returns:
            The filtered space.

        Raises:
            InvalidArgument: No configuration is left, ``function`` raises, or it requires
                a parameter that the space lacks.

        Example:
            >>> space = Space(a=grid(1, 2, 3), b=grid(1, 2, 3)).where(lambda a, b: a < b)
            >>> len(space)
            3
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
        """Return the dict that replaces the space as an option of choice().

        Returns:
            The dict that was written.

        Raises:
            InvalidArgument: The space is a union, or was sampled or filtered.
        """
        if len(self._parts) > 1 or not isinstance(self._parts[0], Plain) or self.is_positional:
            raise InvalidArgument(
                f"{shortened(self)} cannot be an option; write each member of a union as an option "
                f"of its own, and use .sample() and .where() on the whole space"
            )
        return self._parts[0].tree

    def draw(self, seed: int) -> Any:
        """Draw one configuration at random.

        Args:
            seed: A whole number; the same seed gives the same configuration.

        Returns:
            What an objective would get: the parameters by name, or the one argument of a space
            of Hyperopt that is not a dict.

        Raises:
            InvalidArgument: ``seed`` is not a whole number, or no draw satisfies a condition of
                `where`.

        Example:
            >>> Space(depth=grid(4)).draw(seed=1)
            {'depth': 4}
        """
        seed = as_builtin(seed)
        check("draw(): seed", seed, ANY_WHOLE)
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
        f"space must be a Space or a dict of parameters, got {shortened(space)} of type "
        f"{type(space).__name__}"
    )


def _union(first: Any, second: Any) -> Space:
    a, b = as_space(first), as_space(second)
    if a.is_positional != b.is_positional:
        raise InvalidArgument(
            f"{shortened(a)} + {shortened(b)}: one of them is not a dict, so no objective "
            f"could take both"
        )
    return Space.of_parts((*a.parts, *b.parts), is_positional=a.is_positional)


def _product(first: Any, second: Any) -> Space:
    a, b = as_space(first), as_space(second)
    if a.is_positional or b.is_positional:
        raise InvalidArgument(
            f"{shortened(a)} * {shortened(b)}: one of them is not a dict, so it has no names"
        )
    return Space.of_parts([_joined(x, y) for x in a.parts for y in b.parts])


def _joined(a: Member, b: Member) -> Member:
    """The product of two members; the product of two dicts is one dict."""
    for name in a.tree:
        if name in b.tree:
            raise InvalidArgument(
                f"both sides of * have {shortened(name)}; rename it or remove it on one side"
            )
    if isinstance(a, Plain) and isinstance(b, Plain):
        return _of_own_paths(Plain({**a.tree, **b.tree}))
    factors = [f for one in (a, b) for f in (one.factors if isinstance(one, Product) else [one])]
    return _of_own_paths(Product(factors))


def _of_own_paths(member: Member) -> Member:
    """``member``; `InvalidArgument` if two of its values have one path."""
    check_paths(member.tree, member.places, member.slots)
    return member
