"""Adapts an objective of hyperopt's ``fmin`` to `asha_bus.launch`.

Such an objective has one argument and returns a loss or a dict of results.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from asha_bus.core.checks import name_of, shortened
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.hyperopt.results import FAILED, pack
from asha_bus.objective.behind import is_asynchronous, is_generator
from asha_bus.objective.kinds import TrialFailed
from asha_bus.objective.raised import failed_by
from asha_bus.objective.values import close_iterator, is_iterator

#: The ``status`` of a dict of results with a loss, as in hyperopt.
#: Example: ``return {"loss": loss, "status": STATUS_OK}``.
STATUS_OK = "ok"
#: The ``status`` of a dict of results for a configuration that failed, as in hyperopt.
#: Example: ``return {"status": STATUS_FAIL}``.
STATUS_FAIL = "fail"


class FminObjective:
    """Calls ``function`` as ``fmin`` does, and returns what `asha_bus.launch` expects.

    ``by_name``: pass parameters by name, as with ``space="annotated"``. ``data``: the names of
    further arguments, which are passed by name. ``folder``: where to write results that are
    not plain values; None drops them. Raises `InvalidArgument` if ``function`` cannot be
    called so. See `fmin_objective`.
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
            raise InvalidArgument(f"fn must be a function, got {shortened(function)}")
        if is_asynchronous(function):
            raise InvalidArgument(
                f"fn {name_of(function)} is asynchronous; write a plain function, which may call "
                f"asyncio.run()"
            )
        if not by_name:
            _check_signature(function, data)
        self.function, self._by_name, self._data = function, by_name, frozenset(data)
        self._folder = folder
        self.__qualname__ = name_of(function)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """The loss and extras of a configuration, or an iterator of these."""
        data = {name: params.pop(name) for name in self._data}
        try:
            if self._by_name:
                value = self.function(**params, **data)
            else:
                value = self.function(args[0] if args else params, **data)
        except Exception as error:
            raise failed_by(error) from error
        name = uuid.uuid4().hex  # the name of this call's file
        if is_iterator(value):
            return _each(value, self._folder, name)
        return _outcome(value, self._folder, name)


class _Yielding(FminObjective):
    """The same for a generator function, as which inspection recognizes it."""

    def __call__(self, *args: Any, **params: Any) -> Iterator[Any]:
        value = super().__call__(*args, **params)
        if is_iterator(value):
            yield from value
        else:  # a decorator made one value of those that the function yields
            yield value


def fmin_objective(
    function: Callable[..., Any],
    *,
    by_name: bool = False,
    data: Collection[str] = (),
    folder: str | None = None,
) -> FminObjective:
    """The `FminObjective` of ``function``, itself a generator if ``function`` is one."""
    kind = _Yielding if callable(function) and is_generator(function) else FminObjective
    return kind(function, by_name=by_name, data=data, folder=folder)


def _check_signature(function: Callable[..., Any], data: Collection[str]) -> None:
    """Check that ``function`` accepts a configuration, and ``data`` by name."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-ins have no signature
        return
    try:
        signature.bind(None, **dict.fromkeys(data))
    except TypeError as error:
        wanted = ", ".join(["params", *data])
        raise InvalidArgument(
            f"fn {name_of(function)}{signature} cannot be called as fn({wanted}): {error}. It gets "
            f"the configuration as its first argument, and the entries of data by name"
        ) from error


def _each(values: Iterator[Any], folder: str | None, name: str) -> Iterator[Any]:
    """The outcomes of an iterator, which is closed with this generator."""
    try:
        while True:
            try:
                value = next(values)
            except StopIteration:
                return
            except Exception as error:
                raise failed_by(error) from error
            yield _outcome(value, folder, name)
    finally:
        close_iterator(values)


def _outcome(value: Any, folder: str | None, name: str) -> Any:
    """The loss, or of a dict of results the loss with the other results as extras."""
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
        error = ObjectiveError(
            f"the objective returned a dict with status {status!r}; return "
            f"{{'loss': ..., 'status': STATUS_OK}}, or {{'status': STATUS_FAIL}}"
        )
        raise failed_by(error, "asha_bus.hyperopt.exceptions:InvalidResultStatus") from error
    if "loss" not in value:
        error = ObjectiveError(
            f"the objective returned a dict without a loss (it has {', '.join(map(str, value))})"
        )
        raise failed_by(error, "asha_bus.hyperopt.exceptions:InvalidLoss") from error
    return _loss(value["loss"]), pack(rest, folder, name)


def _loss(value: Any) -> Any:
    """A loss as a float, even if it is a string, as hyperopt does; otherwise unchanged."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value  # the check of metrics will refuse it
