"""An objective as hyperopt's ``fmin`` takes it: of one argument, with a loss or a dict."""

from __future__ import annotations

import inspect
import types
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.hyperopt.results import FAILED, pack
from asha_bus.objective.kinds import TrialFailed, is_generator, name_of

#: What a dict of results says of itself, the same words as hyperopt's.
STATUS_OK = "ok"
STATUS_FAIL = "fail"


class FminObjective:
    """Calls ``function`` as ``fmin`` does, and gives on what `asha_bus.launch` understands.

    ``by_name``: its parameters go by name, as with ``space="annotated"``. ``data``: names
    that it gets besides, and by name. ``folder``: where to leave results that are no plain
    values; None leaves them out. Raises `InvalidArgument` where it is no function.
    See `fmin_objective`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        by_name: bool = False,
        data: Collection[str] = (),
        folder: str | None = None,
    ) -> None:
        if not callable(function):
            raise InvalidArgument(f"fn must be a function, got {function!r}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidArgument(
                f"fn {name_of(function)} is asynchronous; write a plain function, which may run "
                f"asyncio.run() inside"
            )
        if not by_name:
            _check_takes(function, data)
        self.function, self._by_name, self._data = function, by_name, frozenset(data)
        self._folder = folder
        self.__qualname__ = name_of(function)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The loss and extras of a configuration, or an iterator of such."""
        data = {name: params.pop(name) for name in self._data}
        if self._by_name:
            value = self.function(**params, **data)
        else:
            value = self.function(args[0] if args else params, **data)
        name = uuid.uuid4().hex  # of the file of this call
        if isinstance(value, types.GeneratorType):
            return _each(value, self._folder, name)
        return _outcome(value, self._folder, name)


class _Yielding(FminObjective):
    """The same of a generator: that it is one can be seen before it is called."""

    def __call__(self, *args: Any, **params: Any) -> Iterator[Any]:
        yield from super().__call__(*args, **params)


def fmin_objective(
    function: Callable[..., Any],
    *,
    by_name: bool = False,
    data: Collection[str] = (),
    folder: str | None = None,
) -> FminObjective:
    """The `FminObjective` of ``function``, a generator where that is one."""
    kind = _Yielding if callable(function) and is_generator(function) else FminObjective
    return kind(function, by_name=by_name, data=data, folder=folder)


def _check_takes(function: Callable[..., Any], data: Collection[str]) -> None:
    """Check that it can be called with a configuration first and ``data`` by name."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-ins have none: they take anything
        return
    try:
        signature.bind(None, **dict.fromkeys(data))
    except TypeError as error:
        wanted = ", ".join(["params", *data])
        raise InvalidArgument(
            f"fn {name_of(function)}{signature} cannot be called as fn({wanted}): {error}. It gets "
            f"the configuration as its first argument, and what is in data by name"
        ) from error


def _each(
    values: types.GeneratorType[Any, Any, Any], folder: str | None, name: str
) -> Iterator[Any]:
    """What a generator yields; it is closed when this is."""
    try:
        for value in values:
            yield _outcome(value, folder, name)
    finally:
        values.close()


def _outcome(value: Any, folder: str | None, name: str) -> Any:
    """A loss as it is; of a dict of results the loss and, as extras, the rest."""
    if not isinstance(value, Mapping):
        return float(value) if isinstance(value, bool) else value
    status = value.get("status")
    rest = {key: part for key, part in value.items() if key not in ("loss", "status")}
    if status == STATUS_FAIL:
        if value.get("loss") is not None:
            rest = {"loss": _loss(value["loss"]), **rest}
        extras = pack(rest, folder, name)
        raise TrialFailed(
            f"the objective returned STATUS_FAIL with {extras}", {**extras, FAILED: True}
        )
    if status != STATUS_OK:
        raise ObjectiveError(
            f"the objective gave back a dict with status {status!r}; give "
            f"{{'loss': ..., 'status': STATUS_OK}}, or {{'status': STATUS_FAIL}}"
        )
    if "loss" not in value:
        raise ObjectiveError(
            f"the objective gave back a dict without a loss (it has {', '.join(map(str, value))})"
        )
    return _loss(value["loss"]), pack(rest, folder, name)


def _loss(value: Any) -> Any:
    """A loss as the float that hyperopt makes of it, be it a text; else as it is."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value  # which is no metric, as will be said
