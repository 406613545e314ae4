"""The user attributes of a trial, on their way from the worker as extras of its reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from asha_bus.core.checks import shortened
from asha_bus.core.errors import ObjectiveError
from asha_bus.formats.wire import MAX_EXTRAS, is_extras
from asha_bus.objective.raised import RAISED

#: The step of a report, as the objective counts.
STEP = "step"
#: Set where the objective has pruned its trial itself, where a failure is no error (with the
#: reason as a text if the objective has returned what is not a value of Optuna's), and where the
#: objective has stopped the study.
PRUNED, CAUGHT, STOPS = "_pruned", "_caught", "_stops"
#: Where a trial does not report at each step: its reports as JSON, pairs of step and value. Rungs
#: do not tell these steps, since a report enters all rungs that it has passed.
STEPS = "_steps"
#: At most this many of these pairs, which fit into one text.
MAX_STEPS = 40

_OWN = (STEP, STEPS, PRUNED, CAUGHT, STOPS, *RAISED)
#: How many attributes of a trial there may be, beside these.
MAX_ATTRIBUTES = MAX_EXTRAS - len(_OWN)
#: Beside what a pruner has raised: where.
TRACEBACK = "_traceback"
#: In front of the name of an attribute whose value is JSON.
_JSON = "json:"


def packed(name: str, value: Any) -> tuple[str, Any]:
    """The name and the value of the extra that carries an attribute; ObjectiveError if none can.

    Plain values travel as they are, others as JSON.
    """
    if not isinstance(name, str):
        raise ObjectiveError(
            f"set_user_attr({shortened(name)}): the name of an attribute must be a text"
        )
    is_free = name not in _OWN and not name.startswith(_JSON)
    if is_free and is_extras({name: value}):
        return name, value
    try:
        key, text = _JSON + name, as_json(value)
    except (TypeError, ValueError) as error:
        raise ObjectiveError(
            f"set_user_attr({name!r}): {shortened(value)} is not JSON ({error}); give numbers, "
            f"texts, lists and dicts of such"
        ) from error
    if not is_extras({key: text}):
        raise ObjectiveError(
            f"set_user_attr({name!r}): {len(text)} characters of JSON under a name of {len(name)} "
            f"are too long; write large values to a file, and set its path"
        )
    return key, text


def as_json(value: Any) -> str:
    """``value`` as JSON, scalars and arrays of numpy included; TypeError if it cannot be that."""
    return json.dumps(value, default=_without_numpy)


def _without_numpy(value: Any) -> Any:
    if not hasattr(value, "tolist"):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return value.tolist()


def attributes_of(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The user attributes among the extras of a trial."""
    found = {}
    for name, value in extras.items():
        if name.startswith(_JSON) and isinstance(value, str):
            found[name.removeprefix(_JSON)] = json.loads(value)
        elif name not in _OWN:
            found[name] = value
    return found
