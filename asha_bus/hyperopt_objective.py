"""An objective as hyperopt's ``fmin`` takes it: of one argument, with a loss or a dict."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.objective import is_generator, name_of, to_extras
from asha_bus.wire import MAX_EXTRAS

#: What a dict of results says of itself, the same words as hyperopt's.
STATUS_OK = "ok"
STATUS_FAIL = "fail"


class StatusFail(ObjectiveError):
    """The objective gave back `STATUS_FAIL`; the message is the plain rest as JSON."""


class FminObjective:
    """Calls ``function`` as ``fmin`` does, and gives on what `asha_bus.launch` understands.

    ``by_name``: its parameters go by name, as with ``space="annotated"``. ``data``: names
    that it gets besides, and by name. Raises `InvalidArgument` where it is no function.
    See `fmin_objective`.
    """

    def __init__(
        self, function: Callable[..., Any], *, by_name: bool = False, data: Collection[str] = ()
    ) -> None:
        if not callable(function):
            raise InvalidArgument(f"fn must be a function, got {function!r}")
        self.function, self._by_name, self._data = function, by_name, frozenset(data)
        self.__qualname__ = name_of(function)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The loss and extras of a configuration, or an iterator of such."""
        data = {name: params.pop(name) for name in self._data}
        if self._by_name:
            value = self.function(**params, **data)
        else:
            value = self.function(args[0] if args else params, **data)
        return _each(value) if isinstance(value, types.GeneratorType) else _outcome(value)


class _Yielding(FminObjective):
    """The same of a generator: that it is one can be seen before it is called."""

    def __call__(self, *args: Any, **params: Any) -> Iterator[Any]:
        yield from super().__call__(*args, **params)


def fmin_objective(
    function: Callable[..., Any], *, by_name: bool = False, data: Collection[str] = ()
) -> FminObjective:
    """The `FminObjective` of ``function``, a generator where that is one."""
    kind = _Yielding if callable(function) and is_generator(function) else FminObjective
    return kind(function, by_name=by_name, data=data)


def fail_result(error: str | None) -> dict[str, Any] | None:
    """What an objective gave back with `STATUS_FAIL`, by its trial's ``error``; None if it raised.

    Of a dict that is too long for an error only the status is known.
    """
    _, mark, told = (error or "").rstrip().rpartition(f"{__name__}.{StatusFail.__name__}:")
    if not mark:
        return None
    try:
        plain = json.loads(told)
    except ValueError:
        plain = {}
    return {"status": STATUS_FAIL, **plain}


def _each(values: types.GeneratorType[Any, Any, Any]) -> Iterator[Any]:
    """What a generator yields; it is closed when this is."""
    try:
        for value in values:
            yield _outcome(value)
    finally:
        values.close()


def _outcome(value: Any) -> Any:
    """A loss as it is; of a dict of results the loss and what is plain of the rest."""
    if not isinstance(value, Mapping):
        return value
    status = value.get("status")
    rest = _plain({key: part for key, part in value.items() if key not in ("loss", "status")})
    if status == STATUS_FAIL:
        if value.get("loss") is not None:
            rest = {**_plain({"loss": value["loss"]}), **rest}
        raise StatusFail(json.dumps(rest))
    if status != STATUS_OK:
        raise ObjectiveError(
            f"the objective gave back a dict with status {status!r}; give "
            f"{{'loss': ..., 'status': STATUS_OK}}, or {{'status': STATUS_FAIL}}"
        )
    if "loss" not in value:
        raise ObjectiveError(
            f"the objective gave back a dict without a loss (it has {', '.join(map(str, value))})"
        )
    return value["loss"], rest


def _plain(rest: Mapping[Any, Any]) -> dict[str, Any]:
    """What can be kept with a trial: names with numbers, texts, booleans or None."""
    kept: dict[str, Any] = {}
    for key, part in rest.items():
        if len(kept) == MAX_EXTRAS:
            break
        try:
            kept.update(to_extras({key: part}))
        except ObjectiveError:
            continue  # a model, an array, a dict: such results stay with the worker
    return kept
