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

_OWN = (STEP, PRUNED, CAUGHT, STOPS, *RAISED)
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
    is_free = name not in _OWN and not name.startswith(_JSON)
    if is_free and is_extras({name: value}):
        return name, value
    try:
        key, text = _JSON + name, json.dumps(value)
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


def attributes_of(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The user attributes among the extras of a trial."""
    found = {}
    for name, value in extras.items():
        if name.startswith(_JSON) and isinstance(value, str):
            found[name.removeprefix(_JSON)] = json.loads(value)
        elif name not in _OWN:
            found[name] = value
    return found
