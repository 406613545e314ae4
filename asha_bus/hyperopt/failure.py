"""The error that no trial of an `fmin` has a loss."""

from __future__ import annotations

import sys
from typing import Any


def also_hyperopts(kind: type[Any]) -> type[Any]:
    """``kind``, also as hyperopt's ``AllTrialsFailed`` where hyperopt is there to be caught."""
    if "hyperopt" not in sys.modules:
        return kind
    from hyperopt import exceptions

    return type("AllTrialsFailed", (kind, exceptions.AllTrialsFailed), {})
