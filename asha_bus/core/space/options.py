"""Parameters that list their values, and values that are computed from others."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from random import Random
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.parameter import Leaf, Parameter, SubSpace

#: More level-1 configurations than this are not built, nor tried one by one.
MAX_GRID_POINTS = 1_000_000
#: So many options are shown of those that there are.
MAX_SHOWN = 20
#: Options without a hash are compared with so many before them.
_MOST_COMPARED = 200


class Options(Parameter):
    """Shared by the parameters that list their values, which may be any objects.

    An option that holds parameters is a sub-space: they are drawn where it is chosen.
    """

    def __init__(self, options: tuple[Any, ...]) -> None:
        self.options = tuple(
            option.as_option() if isinstance(option, SubSpace) else option for option in options
        )
        #: Which options are sub-spaces.
        self.nested = frozenset(i for i, one in enumerate(self.options) if holds_parameter(one))

    def __repr__(self) -> str:
        shown = list(map(repr, self.options[:MAX_SHOWN]))
        if (more := len(self.options) - len(shown)) > 0:
            shown.append(f"and {more:,} more")
        return f"{self.kind}({', '.join(shown)})"

    def draw(self, random: Random) -> float:
        return random.randrange(len(self.options))

    def resolve(self, number: float) -> Any:
        return self.options[int(number)]

    def check(self, number: float) -> None:
        if number not in range(len(self.options)):
            raise InvalidArgument(f"there is no option {number!r} of {len(self.options)}")

    def number_of(self, value: Any) -> float:
        """The index of the plain option that is ``value``, or else equals it."""
        plain = [(i, one) for i, one in enumerate(self.options) if i not in self.nested]
        for i, option in plain:
            if option is value:
                return i
        for kinds_match in (True, False):  # 1, 1.0 and True are equal
            for i, option in plain:
                if (type(option) is type(value)) is kinds_match and is_same(option, value):
                    return i
        raise InvalidArgument(f"{value!r} is no option of {self.kind}()")


class Choice(Options):
    """One of the options, drawn by the searcher; ``weights`` None: all equally likely."""

    kind = "choice"

    def __init__(self, options: tuple[Any, ...], weights: tuple[float, ...] | None = None) -> None:
        super().__init__(options)
        self.weights = weights
        self._sums = None if weights is None else list(accumulate(weights))

    def draw(self, random: Random) -> float:
        if self._sums is None:
            return random.randrange(len(self.options))
        found = bisect(self._sums, random.random() * self._sums[-1])
        return min(found, len(self.options) - 1)


class Ordinal(Options):
    """One of the options, whose order tells a model something."""

    kind = "ordinal"


class Grid(Options):
    """Each of the options: level 1, every one is run."""

    kind = "grid"


class Func(Leaf):
    """A value that is computed from others on the worker."""

    kind = "func"

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function, self.args = function, args

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", None) or repr(self.function)
        return f"func({', '.join([name, *map(repr, self.args)])})"


def choice(*options: Any) -> Parameter:
    """One of ``options``, all equally likely, drawn anew for each trial.

    The options may be any Python objects. One that holds parameters (a dict, list or
    tuple, or a `Space`) is a sub-space, whose parameters are drawn only where it is
    chosen. Raises `InvalidArgument` if there is no option.
    """
    if not options:
        raise InvalidArgument("choice(): no options given; write choice('a', 'b')")
    return Choice(options)


def ordinal(*options: Any) -> Parameter:
    """One of ``options`` in their order, all equally likely: small, medium, large.

    Like `choice`, but a searcher may take the order for a scale. Raises `InvalidArgument`
    if there is no option.
    """
    if not options:
        raise InvalidArgument("ordinal(): no options given; write ordinal('small', 'large')")
    return Ordinal(options)


def grid(*values: Any) -> Parameter:
    """All of ``values``: each combination of the grids of a space is run.

    A value that holds parameters is a sub-space: these stay with the searcher. One
    generator, range or other iterator in place of the values is read once. Raises
    `InvalidArgument` if there is no value, or more than 1,000,000.
    """
    if len(values) == 1 and (isinstance(values[0], (range, Iterator))):
        values = tuple(islice(values[0], MAX_GRID_POINTS + 1))
    if not values:
        raise InvalidArgument("grid(): no values given; write grid(1, 2, 3)")
    if len(values) > MAX_GRID_POINTS:
        raise InvalidArgument(
            f"grid(): there are more than {MAX_GRID_POINTS} values; use randint() or choice()"
        )
    return Grid(values)


def func(function: Callable[..., Any], *args: Any) -> Func:
    """The value of ``function(*args)``, computed on the worker.

    ``args``: parameters of the space, other values of `func`, constants, or dicts, lists
    and tuples of these. A parameter that stands nowhere else is drawn, too, and only the
    function sees it. The function is called in the user's process as well, to show the
    value, so it is to be quick and to give the same for the same arguments. Raises
    `InvalidArgument` where it cannot be called.
    """
    if not callable(function) or isinstance(function, Leaf):
        raise InvalidArgument(
            f"func(): the first argument must be a function, got {function!r} of type "
            f"{type(function).__name__}"
        )
    return Func(function, args)


def children(node: Any) -> list[tuple[str, Any]] | None:
    """The children of a dict, list or tuple with their path parts; None for all else."""
    if type(node) is dict:
        return [(f".{key}", child) for key, child in node.items()]
    if type(node) in (list, tuple):
        return [(f"[{i}]", child) for i, child in enumerate(node)]
    return None


def holds_parameter(node: Any) -> bool:
    """Whether there is a parameter in ``node``, in containers of any kind."""
    return _holds_parameter(node, set())


def _holds_parameter(node: Any, seen: set[int]) -> bool:
    if isinstance(node, Leaf):
        return True
    if not isinstance(node, (dict, list, tuple, set, frozenset)) or id(node) in seen:
        return False
    seen.add(id(node))  # a container may hold itself
    parts = node.values() if isinstance(node, dict) else node
    return any(_holds_parameter(part, seen) for part in parts)


def is_same(a: Any, b: Any) -> bool:
    """Whether two objects are one, or equal where that is a single yes or no."""
    if a is b:
        return True
    try:
        verdict = a == b
        if type(verdict) is bool:
            return verdict or (a != a and b != b and type(a) is type(b) is float)
        return getattr(verdict, "shape", None) == () and bool(verdict)  # a numpy scalar's
    except Exception:  # comparing is user code: arrays in a list, say
        return False


def _is_alike(a: Any, b: Any) -> bool:
    """Whether two objects without a hash are the same, also to look at: [1] and [True] are not."""
    try:
        return a is b or (type(a) is type(b) and is_same(a, b) and repr(a) == repr(b))
    except Exception:  # a repr is user code
        return False


def repeated(options: tuple[Any, ...]) -> Any | None:
    """The first of ``options`` that stands there twice, as a tuple of it; None: none does."""
    seen: set[Any] = set()
    unhashable: list[Any] = []
    for option in options:
        try:
            key = (type(option), option)
            if key in seen:
                return (option,)
            seen.add(key)
        except Exception:  # hashing and comparing is user code
            if any(_is_alike(one, option) for one in unhashable):
                return (option,)
            if len(unhashable) < _MOST_COMPARED:
                unhashable.append(option)
    return None
