"""The error that no trial of an `fmin` has a loss."""

from __future__ import annotations

import sys

from asha_bus.results.result import AllTrialsFailed, Result


def all_trials_failed(message: str, result: Result) -> AllTrialsFailed:
    """The error; also hyperopt's ``AllTrialsFailed`` where hyperopt is there to be caught."""
    if "hyperopt" not in sys.modules:
        return AllTrialsFailed(message, result)
    from hyperopt import exceptions

    both = (AllTrialsFailed, exceptions.AllTrialsFailed)
    found: AllTrialsFailed = type("AllTrialsFailed", both, {})(message, result)
    return found
