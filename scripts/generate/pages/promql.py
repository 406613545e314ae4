"""The few forms that the dashboards' queries have.

``$run`` are the runs that were chosen, ``$__rate_interval`` a window of four scrapes at
least, ``$__range`` the whole time that is shown.
"""

from __future__ import annotations


def chosen(metric: str, **labels: str) -> str:
    """``metric`` of the chosen runs; a label's value is a regular expression."""
    matchers = ['run=~"$run"', *(f'{name}=~"{value}"' for name, value in labels.items())]
    return f"{metric}{{{', '.join(matchers)}}}"


def now(metric: str, *by: str, **labels: str) -> str:
    """The value at each moment; a run that was resumed elsewhere is one run."""
    return f"max by ({_by(by)}) ({chosen(metric, **labels)})"


def last(metric: str, *by: str, **labels: str) -> str:
    """The last value in the time that is shown, whether the run has ended or not."""
    return f"max by ({_by(by)}) (last_over_time({chosen(metric, **labels)}[$__range]))"


def rate(metric: str, *by: str, **labels: str) -> str:
    """How much a counter grows in a second; one that was reset counts from 0."""
    return f"sum by ({_by(by)}) (rate({chosen(metric, **labels)}[$__rate_interval]))"


def quantile(share: float, histogram: str) -> str:
    """The time that ``share`` of all stay below; nothing where there was none."""
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', 'le')}) >= 0"


def number(expression: str) -> str:
    """``expression`` without NaN, which stands for what is not there yet."""
    return f"{expression} >= -Inf"


def ratio(part: str, whole: str) -> str:
    """A share; nothing where there is no whole."""
    return f"{part} / ({whole} > 0)"


def _by(labels: tuple[str, ...]) -> str:
    return ", ".join(("run", *labels))
