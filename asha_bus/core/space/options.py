"""Parameters that list their values, and values that are computed from others."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from random import Random
from typing import Any

from asha_bus.core.checks import checked, cut, name_of, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space.contents import holds_parameter, lists_values
from asha_bus.core.space.parameter import Leaf, Parameter, SubSpace

#: The most values of a grid, and the most configurations that are tried one by one.
MAX_GRID_POINTS = 1_000_000
#: How many options a repr shows.
MAX_SHOWN = 20
#: With how many earlier ones an unhashable option is compared.
_MAX_COMPARED = 200
#: The longest text of a collection that an error writes out.
_MAX_CHARS = 80


#: What users of other tuners may expect of options.
_WEIGHTS = {
    **dict.fromkeys(
        ("p", "weights", "weight", "probabilities", "probs"),
        "choice('a', 'a', 'b'): what is listed twice is drawn twice as often",
    ),
    **dict.fromkeys(("options", "choices", "categories", "values"), "choice('a', 'b')"),
    "name": "the name in the space: {'x': choice('a', 'b')}",
    "label": "the name in the space: {'x': choice('a', 'b')}",
}


class Option(Leaf):
    """One option, taken as it is: what `option` makes, for `choice`, `ordinal` and `grid`."""

    kind = "option"

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"option({self.value!r})"


class Options(Parameter):
    """Base of the parameters that list their values, which may be any objects.

    An option that holds parameters is a sub-space: its parameters are drawn only if the
    option is chosen.
    """

    def __init__(self, options: tuple[Any, ...]) -> None:
        self.options = tuple(
            option.as_option() if isinstance(option, SubSpace) else option for option in options
        )
        #: The indexes of the options that are sub-spaces.
        self.nested = frozenset(i for i, one in enumerate(self.options) if holds_parameter(one))

    def __repr__(self) -> str:
        shown = list(map(shortened, self.options[:MAX_SHOWN]))
        if (more := len(self.options) - len(shown)) > 0:
            shown.append(f"and {more:,} more")
        if len(self.options) == 1 and lists_values(self.options[0]):
            shown = [f"option({shown[0]})"]
        return f"{self.kind}({', '.join(shown)})"

    def draw(self, random: Random) -> float:
        return random.randrange(len(self.options))

    def resolve(self, number: float) -> Any:
        return self.options[int(number)]

    def check(self, number: float) -> None:
        if number not in range(len(self.options)):
            raise InvalidArgument(f"{shortened(number)} is not one of {len(self.options)} options")

    def number_of(self, value: Any) -> float:
        """The index of the plain option that is ``value``, or else of one that equals it."""
        plain = [(i, one) for i, one in enumerate(self.options) if i not in self.nested]
        for i, option in plain:
            if option is value:
                return i
        for kinds_match in (True, False):  # 1, 1.0 and True are equal
            for i, option in plain:
                if (type(option) is type(value)) is kinds_match and is_same(option, value):
                    return i
        raise InvalidArgument(f"{shortened(value)} is not an option of {self.kind}()")


class Choice(Options):
    """One of the options, chosen by the searcher; ``weights`` None: all equally likely."""

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
    """One of the options, whose order a searcher may use as a scale."""

    kind = "ordinal"


class Grid(Options):
    """Every one of the options: level 1, so each is run."""

    kind = "grid"


class Func(Leaf):
    """A value that the worker computes from other values."""

    kind = "func"

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function, self.args = function, args

    def __repr__(self) -> str:
        return f"func({', '.join([name_of(self.function), *map(shortened, self.args)])})"


@checked(_WEIGHTS, as_written=True)
def option(value: Any) -> Option:
    """Take ``value`` as one option of `choice`, `ordinal` or `grid`, also if it is a list.

    These take a single list for a mistake, since it may mean one option or several.

    Args:
        value: The option. As without `option`, it is a sub-space if it holds parameters.

    Returns:
        An argument of `choice`, `ordinal` or `grid`.

    Example:
        >>> Space(layers=choice(option([16, 32]))).draw(seed=1)
        {'layers': [16, 32]}
    """
    return value if isinstance(value, Option) else Option(value)


def _options(kind: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
    """The options that were ``given`` to ``kind``.

    A single list is an `InvalidArgument`, also after a text: Hyperopt's and Optuna's label.
    """
    if not given:
        raise InvalidArgument(f"{kind}(): no options given; write {kind}('a', 'b')")
    if len(given) == 1 and lists_values(given[0]):
        raise InvalidArgument(_only(kind, given[0]))
    if len(given) == 2 and isinstance(given[0], str) and type(given[1]) in (list, tuple):
        label, shown = shortened(given[0]), cut(shortened(given[1]), _MAX_CHARS)
        raise InvalidArgument(
            f"{kind}(): got a text and one list, {shown}; a parameter has no label, so write "
            f"{{{label}: {kind}(*values)}}, or {kind}({label}, option(values)) if these two are "
            f"the options"
        )
    return tuple(one.value if isinstance(one, Option) else one for one in given)


def _only(kind: str, values: Any) -> str:
    """The error about a collection that is the only option: it shows both ways to write it."""
    shown, each = shortened(values), "*values"
    whole = shown if len(shown) <= _MAX_CHARS else "values"
    if isinstance(values, (list, tuple)):
        if not values:
            return f"{kind}(): {shown} has no options; for one, write {kind}(option({shown}))"
        written = ", ".join(map(shortened, values[:_MAX_CHARS]))
        each = written if len(written) <= _MAX_CHARS else each
    name = (
        f"the class {values.__name__}"
        if isinstance(values, type)
        else f"one {type(values).__name__}"
    )
    return (
        f"{kind}(): got {name}, {cut(shown, _MAX_CHARS)}, as the only option; write {kind}({each}) "
        f"if each of its elements is an option, or {kind}(option({whole})) if it is one option"
    )


@checked(_WEIGHTS, as_written=True)
def choice(*options: Any) -> Parameter:
    """Choose one of ``options`` for each trial, all equally likely.

    An option that holds parameters (a dict, list or tuple, or a `Space`) is a sub-space:
    its parameters are drawn only if the option is chosen.

    Args:
        *options: The values, which may be any Python objects; at least one. A single list,
            array or other collection is written ``*values``, or as an `option`.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: There is no option, or a collection is the only one.

    Example:
        >>> space = Space(act=choice("relu", "tanh"))
    """
    return Choice(_options("choice", options))


@checked(_WEIGHTS, as_written=True)
def ordinal(*options: Any) -> Parameter:
    """Choose one of ``options``, whose order matters: small, medium, large.

    Like `choice`, but a searcher may use the order as a scale.

    Args:
        *options: The values in order, which may be any Python objects; at least one. All
            are equally likely before a searcher has learned from results. A single list,
            array or other collection is written ``*values``, or as an `option`.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: There is no option, or a collection is the only one.

    Example:
        >>> space = Space(size=ordinal("small", "medium", "large"))
    """
    return Ordinal(_options("ordinal", options))


@checked({**_WEIGHTS, "values": "grid(1, 2, 3)"}, as_written=True)
def grid(*values: Any) -> Parameter:
    """Run every one of ``values``, in each combination with the other grids of the space.

    A value that holds parameters is a sub-space: the searcher draws these parameters.

    Args:
        *values: The values, which may be any Python objects; or one range, generator or
            other iterator, which is read once. At least 1, at most 1,000,000 values. Another
            collection alone is written ``*values``, or as an `option`.

    Returns:
        A parameter to use in a `Space`.

    Raises:
        InvalidArgument: There is no value, a collection is the only one, or there are more
            than 1,000,000.

    Example:
        >>> space = Space(depth=grid(2, 4, 8), seed=grid(range(3)))
        >>> len(space)
        9
    """
    is_read = len(values) == 1 and isinstance(values[0], (range, Iterator))
    if is_read:
        values = tuple(islice(values[0], MAX_GRID_POINTS + 1))
    if not values:
        raise InvalidArgument("grid(): no values given; write grid(1, 2, 3)")
    values = values if is_read else _options("grid", values)
    if len(values) > MAX_GRID_POINTS:
        raise InvalidArgument(
            f"grid(): got more than {MAX_GRID_POINTS} values; use randint() or choice()"
        )
    return Grid(values)


@checked(
    {"*": "func(lambda a, b: f(a, x=b), a, b), since func() passes values by their order"},
    as_written=True,
)
def func(function: Callable[..., Any], *args: Any) -> Func:
    """Compute a value as ``function(*args)`` on the worker.

    The function is also called in the user's process, to display the value. So it should
    be fast and return the same value for the same arguments.

    Args:
        function: Any callable; it gets the values of ``args``.
        *args: Parameters of the space, other values of `func`, constants, or dicts, lists
            and tuples of these. A parameter used nowhere else is drawn for the function
            alone; the objective does not see it.

    Returns:
        A computed value to use in a `Space`.

    Raises:
        InvalidArgument: ``function`` is not callable.

    Example:
        >>> width = randint(8, 64)
        >>> space = Space(width=width, hidden=func(lambda w: 2 * w, width))
    """
    if not callable(function) or isinstance(function, Leaf):
        raise InvalidArgument(
            f"func(): the first argument must be a function, got {shortened(function)} of type "
            f"{type(function).__name__}"
        )
    return Func(function, args)


def is_same(a: Any, b: Any) -> bool:
    """Whether two objects are identical, or equal if ``==`` gives a single bool."""
    if a is b:
        return True
    try:
        equal = a == b
        if type(equal) is bool:
            return equal or (a != a and b != b and type(a) is type(b) is float)
        return getattr(equal, "shape", None) == () and bool(equal)  # a numpy scalar
    except Exception:  # user code, which fails for arrays in a list, for instance
        return False


def _is_alike(a: Any, b: Any) -> bool:
    """Whether two unhashable objects are equal in type, value and repr: [1], [True] are not."""
    try:
        return a is b or (type(a) is type(b) and is_same(a, b) and repr(a) == repr(b))
    except Exception:  # a repr is user code
        return False


def repeated(options: tuple[Any, ...]) -> Any | None:
    """The first of ``options`` that occurs twice, as a 1-tuple; None if all are different."""
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
            if len(unhashable) < _MAX_COMPARED:
                unhashable.append(option)
    return None
