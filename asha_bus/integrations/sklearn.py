"""scikit-learn: estimators that are trained step by step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from asha_bus.core.checks import check, shortened, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.integrations.reporting import missing

try:
    from sklearn.base import clone, is_classifier
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import check_scoring
    from sklearn.utils.multiclass import unique_labels
except ImportError as error:
    raise missing("scikit-learn", "sklearn") from error

#: Their ``max_iter`` counts the iterations of all calls of ``fit`` with ``warm_start``.
_COUNT_IN_ALL = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def iterate(
    estimator: Any,
    X: Any,
    y: Any,
    X_val: Any,
    y_val: Any,
    *,
    scoring: str | Callable[..., float] | None = None,
    step: int = 1,
) -> Iterator[tuple[float, dict[str, float]]]:
    """Train an estimator step by step, and yield its loss on held-out data after each step.

    An estimator with ``partial_fit`` gets all of the data in each step. One with
    ``warm_start`` gets more trees (``n_estimators``) or iterations (``max_iter``). The training
    has no end of its own: a scheduler with ``max_resource`` ends it.

    Args:
        estimator: The estimator, which is cloned and stays as it is.
        X: The data to train on.
        y: Their targets.
        X_val: The data to measure the loss on.
        y_val: Their targets.
        scoring: The score, as in scikit-learn: its name or a function of the estimator, the
            data and the targets, larger is better. None (default): the estimator's ``score``.
        step: How many passes over the data, trees or iterations one step has. Default 1.

    Yields:
        A pair of the loss and a dict with the ``score``. The loss is ``1 - score`` by default,
        and ``-score`` with ``scoring``, so smaller is always better.

    Raises:
        InvalidArgument: ``estimator`` cannot be trained step by step, or ``scoring`` or
            ``step`` cannot be used.

    Example:
        >>> def train(alpha, X, y, X_val, y_val):
        ...     yield from iterate(SGDClassifier(alpha=alpha), X, y, X_val, y_val)
    """
    check("iterate: step", step, whole(1))
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise InvalidArgument(
            f"iterate: scoring is {shortened(scoring)}; pass a name, a function or None"
        )
    model = clone(estimator)
    score_of = check_scoring(model, scoring)
    for _ in _trained(model, X, y, step):
        score = float(score_of(model, X_val, y_val))
        yield (1 - score if scoring is None else -score), {"score": score}


def _trained(model: Any, X: Any, y: Any, step: int) -> Iterator[None]:
    """Train ``model`` by one step more before each item."""
    if hasattr(model, "partial_fit"):
        classes = {"classes": unique_labels(y)} if is_classifier(model) else {}
        while True:
            for _ in range(step):
                model.partial_fit(X, y, **classes)
            yield
    params = model.get_params()
    grown = next((name for name in ("n_estimators", "max_iter") if name in params), None)
    # liblinear begins from nothing in each call of fit
    if grown is None or "warm_start" not in params or params.get("solver") == "liblinear":
        raise InvalidArgument(
            f"iterate: estimator {shortened(model)} cannot be trained step by step: it has neither "
            f"partial_fit nor a warm_start by which n_estimators or max_iter can grow; fit it "
            f"once, and return its score"
        )
    in_all = grown == "n_estimators" or isinstance(model, _COUNT_IN_ALL)
    model.set_params(warm_start=True)
    for number in count(1):
        model.set_params(**{grown: number * step if in_all else step})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is not to converge in a step
            model.fit(X, y)
        yield
