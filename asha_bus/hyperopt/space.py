"""Converts a space of hyperopt, node by node, to a `Space` with the same distributions."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import (
    POSITIONAL,
    Choice,
    Func,
    LogNormal,
    LogUniform,
    Normal,
    Parameter,
    Plain,
    RandInt,
    Space,
    Uniform,
    holds_parameter,
)

#: The arguments of each distribution, and whether its bounds are exponents.
_ARGUMENTS = {
    **dict.fromkeys(("uniform", "loguniform"), ("low", "high")),
    **dict.fromkeys(("quniform", "qloguniform"), ("low", "high", "q")),
    **dict.fromkeys(("normal", "lognormal"), ("mu", "sigma")),
    **dict.fromkeys(("qnormal", "qlognormal"), ("mu", "sigma", "q")),
    "randint": ("low", "high"),
    "categorical": ("p",),
}

#: Functions that do not need hyperopt on the workers, unlike all others.
_PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv")},
    **{name: getattr(operator, name) for name in ("neg", "getitem", "eq", "lt", "le", "gt", "ge")},
    "int": int,
    "float": float,
    "len": len,
    "max": max,
    "min": min,
    "list": list,
    "pow": pow,
}


def if_hyperopt(space: Any) -> Space | None:
    """The `Space` of a space of hyperopt; None for anything else: a converter of `as_space`."""
    return from_hyperopt(space) if is_of_hyperopt(space) else None


def is_of_hyperopt(node: Any) -> bool:
    """Whether there is an expression of hyperopt in ``node``."""
    if isinstance(node, Mapping):
        return any(map(is_of_hyperopt, node.values()))
    if type(node) in (list, tuple):
        return any(map(is_of_hyperopt, node))
    return type(node).__module__.startswith("hyperopt.pyll")


def from_hyperopt(space: Any) -> Space:
    """Read whatever hyperopt's ``fmin`` takes as its space.

    Args:
        space: A dict, list or expression of ``hyperopt.hp``. Values get the distributions and
            types that hyperopt gives them.

    Returns:
        The `Space`; a positional one, whose objective gets one argument, where ``space`` is
        not a dict.

    Raises:
        InvalidArgument: An unknown node, which is named; or a label that two parameters have,
            which is also hyperopt's ``DuplicateLabel``.
        ImportError: hyperopt is missing: ``pip install 'asha-bus[hyperopt]'``.

    Example:
        ``ab.from_hyperopt({"lr": hp.loguniform("lr", -9, 0)}) * {"layers": ab.grid(1, 2)}``
    """
    try:
        from hyperopt.pyll.base import as_apply, dfs
    except ImportError as error:
        raise ImportError(
            "spaces of hyperopt need hyperopt: pip install 'asha-bus[hyperopt]'"
        ) from error
    root = as_apply(space)
    nodes = dfs(root)
    _check_labels(nodes)
    tree = _Reader(nodes).read(root)
    if root.name == "dict" and isinstance(tree, dict):
        return Space(tree)
    return Space.of_parts([Plain({POSITIONAL: tree})], is_positional=True)


class _Reader:
    """Converts nodes to values and parameters of a `Space`; the same node gives the same object."""

    def __init__(self, nodes: list[Any]) -> None:
        self._nodes = nodes  # keep them alive, so that ids stay unique
        self._uses = Counter(id(child) for node in nodes for child in node.inputs())
        self._found: dict[int, Any] = {}

    def read(self, node: Any) -> Any:
        """The converted ``node``."""
        if id(node) not in self._found:
            self._found[id(node)] = self._read(node)
        return self._found[id(node)]

    def _read(self, node: Any) -> Any:
        if node.name == "literal":
            if isinstance(node.obj, Space) or holds_parameter(node.obj):
                raise InvalidArgument(
                    f"{node.obj!r} is inside a space of hyperopt; write the whole space with hp "
                    f"or the whole space with asha_bus"
                )
            return node.obj
        if node.name == "pos_args":
            return tuple(map(self.read, node.pos_args))
        if node.name == "dict" and (pairs := _pairs(node)) is not None:
            return {key: self.read(value) for key, value in pairs}
        if node.name == "hyperopt_param":
            return self._parameter(node)
        if node.name == "float" and _kind(node.pos_args[0]) not in (None, "randint", "categorical"):
            return self.read(node.pos_args[0])  # hyperopt wraps every float distribution so
        if node.name == "int" and (parameter := self._whole(node.pos_args[0])) is not None:
            return parameter
        if node.name == "switch":
            return self._switch(node)
        return self._call(node)

    def _whole(self, node: Any) -> Parameter | None:
        """The parameter whose values ``int(node)`` makes built-in ints; None if there is none."""
        inner = node.pos_args[0] if node.name == "float" else node
        if _kind(inner) == "randint":
            found = self.read(inner)
            return found if isinstance(found, Parameter) else None
        q = _arguments(inner).get("q") if _kind(inner) is not None else None
        is_only_this = self._uses[id(node)] == 1 and self._uses[id(inner)] == 1
        if q is None or q != int(q) or not is_only_this:
            return None
        parameter: Parameter = self._parameter(inner, is_whole=True)
        return parameter

    def _parameter(self, node: Any, is_whole: bool = False) -> Parameter:
        kind, label = _kind(node), _label(node)
        if kind is None:
            raise InvalidArgument(
                f"hyperopt's distribution {_distribution(node).name!r} of {label!r} is not "
                f"supported; use one of {', '.join(sorted(_ARGUMENTS))}"
            )
        arguments = _arguments(node)
        try:
            found = _make(kind, arguments, is_whole)
        except (ArithmeticError, TypeError, ValueError) as error:
            shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
            raise InvalidArgument(f"hp.{kind}({label!r}, {shown}): {error}") from error
        found.label = label
        return found

    def _switch(self, node: Any) -> Any:
        index, *options = node.pos_args
        kind = _kind(index)
        if kind in ("randint", "categorical") and self._uses[id(index)] == 1:
            parameter = self._parameter(index)
            read = tuple(map(self.read, options))
            weights = None
            if isinstance(parameter, Choice):
                weights, count = parameter.weights, len(parameter.options)
            else:
                assert isinstance(parameter, RandInt)
                count = parameter.high + 1 if parameter.low == 0 else 0
            if count == len(read):
                choice = Choice(read, weights)
                choice.label = parameter.label
                return choice
        return Func(_chosen, tuple(map(self.read, node.pos_args)))

    def _call(self, node: Any) -> Func:
        from hyperopt.pyll.base import scope
        from hyperopt.pyll.stochastic import implicit_stochastic_symbols

        if node.name in implicit_stochastic_symbols:
            raise InvalidArgument(
                f"hyperopt's {node.name!r} has no label, which searchers need; use "
                f"hp.{node.name}(label, ...)"
            )
        function = _PLAIN_FUNCTIONS.get(node.name) or scope._impls.get(node.name)
        if function is None:
            raise InvalidArgument(
                f"hyperopt's node {node.name!r} is not known; define it by scope.define before the "
                f"space is converted, or compute it in the objective from the parameters"
            )
        args = tuple(map(self.read, node.pos_args))
        if not node.named_args:
            return Func(function, args)
        names = [name for name, _ in node.named_args]
        return Func(
            _Named(function, names), (*args, *(self.read(arg) for _, arg in node.named_args))
        )


class _Named:
    """A function whose last arguments are passed by name."""

    def __init__(self, function: Callable[..., Any], names: list[str]) -> None:
        self._function, self._names = function, names
        self.__qualname__ = getattr(function, "__qualname__", type(function).__name__)
        self.__module__ = getattr(function, "__module__", __name__)

    def __call__(self, *args: Any) -> Any:
        plain = len(args) - len(self._names)
        return self._function(*args[:plain], **dict(zip(self._names, args[plain:], strict=True)))


def _chosen(index: int, *options: Any) -> Any:
    """The option of a switch whose index is computed or used in several places."""
    return options[int(index)]


def _check_labels(nodes: list[Any]) -> None:
    """Raise DuplicateLabel if two parameters have the same label."""
    seen: set[str] = set()
    for node in nodes:
        if node.name == "hyperopt_param":
            label = _label(node)
            if label in seen:
                from asha_bus.hyperopt.exceptions import DuplicateLabel

                raise DuplicateLabel(
                    f"two parameters have the label {label!r}; give each its own label, or use "
                    f"the same expression in both places"
                )
            seen.add(label)


def _label(node: Any) -> str:
    label = node.pos_args[0].obj
    return label.decode() if isinstance(label, bytes) else str(label)


def _distribution(node: Any) -> Any:
    return node.pos_args[1]


def _kind(node: Any) -> str | None:
    """The name of a labelled node's distribution; None if it is unknown or has no label."""
    if node.name != "hyperopt_param" or _distribution(node).name not in _ARGUMENTS:
        return None
    return str(_distribution(node).name)


def _arguments(node: Any) -> dict[str, Any]:
    """The arguments of a labelled distribution, by name."""
    distribution = _distribution(node)
    given: dict[str, Any] = dict(
        zip(_ARGUMENTS[distribution.name], distribution.pos_args, strict=False)
    )
    given.update(distribution.named_args)
    for name, argument in given.items():
        parts = argument.pos_args if argument.name == "pos_args" else [argument]
        if not all(part.name == "literal" for part in parts):
            raise InvalidArgument(
                f"hp.{distribution.name}({_label(node)!r}, ...): {name} must be a number, not "
                f"an expression"
            )
        given[name] = [part.obj for part in parts] if parts != [argument] else argument.obj
    return given


def _make(kind: str, arguments: dict[str, Any], is_whole: bool) -> Parameter:
    if kind == "categorical":
        weights = tuple(float(weight) for weight in arguments["p"])
        return Choice(tuple(range(len(weights))), weights)
    if kind == "randint":
        low, high = arguments["low"], arguments.get("high")
        first, end = (0, int(low)) if high is None else (int(low), int(high))
        if first >= end:
            raise ValueError("its range is empty")
        return RandInt(first, end - 1)
    q = arguments.get("q")
    step = None if q is None else float(q)
    if step is not None and not step > 0:
        raise ValueError("q must be above 0")
    rest = (step, step is not None, is_whole)
    if "mu" in arguments:
        normal = LogNormal if kind.endswith("lognormal") else Normal
        mu, sigma = float(arguments["mu"]), float(arguments["sigma"])
        if not sigma > 0:
            raise ValueError("sigma must be above 0")
        return normal(mu, sigma, *rest)
    low, high = float(arguments["low"]), float(arguments["high"])
    if not low <= high:
        raise ValueError("low is greater than high")
    if not kind.endswith("loguniform"):
        return Uniform(low, high, *rest)
    lowest, highest = math.exp(low), math.exp(high)  # hyperopt's bounds are exponents
    if lowest == 0:
        raise ValueError("low is the logarithm of the bound, and exp(low) is 0; raise it")
    return LogUniform(lowest, highest, *rest)


def _pairs(node: Any) -> list[tuple[Any, Any]] | None:
    """The keys and nodes of a dict; None if its keys are computed."""
    if not node.pos_args:
        return [(name, value) for name, value in node.named_args]
    items = node.pos_args[0]
    if items.name != "pos_args" or node.named_args or len(node.pos_args) > 1:
        return None
    pairs = [item.pos_args for item in items.pos_args]
    if not all(len(pair) == 2 and pair[0].name == "literal" for pair in pairs):
        return None
    return [(key.obj, value) for key, value in pairs]
