"""A result as text and as HTML, for prompts and notebooks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from asha_bus.core.checks import shown_params
from asha_bus.core.failures import gist
from asha_bus.core.trial import TrialState
from asha_bus.core.trials import ranked_trials
from asha_bus.results.records import UNFINISHED
from asha_bus.results.rungs import lines_of

if TYPE_CHECKING:
    from asha_bus.results.result import Result

#: The number of trials that a notebook shows.
_SHOWN = 10


def text_of(result: Result) -> str:
    """The counts by state, the reason, the first error, the best trial, rungs and warnings."""
    best = result.best
    ended_by = "" if result.reason == UNFINISHED else "ended by "
    lines = [
        f"Result of {result.name}: {len(result.trials)} trials in {result.elapsed_s:.1f} s, "
        f"{ended_by}{why_ended(result)}",
        "  " + ", ".join(f"{count} {state}" for state, count in result.counts.items() if count),
        *_first_error(result),
    ]
    if best is None:
        lines.append(f"  best: none, since {result.best_reason}")
    else:
        lines.append(
            f"  best: trial {best.id}, metric {best.metric:g} at resource "
            f"{best.resource:g}, params {shown_params(best.params)}"
        )
        if any(trial.repeat for trial in result.trials):
            lines.append(f"  {_mean_of_best(result)}")
    lines += [f"  {line}" for line in lines_of(result)]
    if result.searcher:
        lines.append(f"  searcher: {result.searcher}; the run's seed: {result.seed}")
    told = result.best_reason if best is None else ""
    lines += [f"  warning: {text}" for text in result.warnings if text != told]
    return "\n".join(lines)


def why_ended(result: Result) -> str:
    """The reason, and the first line of the message, such as ``stopped (by whom)``."""
    why = result.message.partition("\n")[0].rstrip(":")  # a traceback may follow
    return f"{result.reason} ({why})" if why else result.reason


def html_of(result: Result) -> str:
    """The text, and a table of the leading trials."""
    shown = ranked_trials(result.trials, result.mode)[:_SHOWN]
    head = "".join(
        f"<th>{name}</th>" for name in ("trial", "state", "metric", "resource", "params")
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td>{html.escape(str(cell))}</td>"
            for cell in (t.id, t.state, t.metric, t.resource, shown_params(t.params))
        )
        + "</tr>"
        for t in shown
    )
    return (
        f"<pre>{html.escape(repr(result))}</pre><p>the first {len(shown)} of "
        f"{len(result.trials)} trials by metric</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def counted_failures(result: Result) -> str:
    """How many trials failed and how many were lost, such as ``3 FAILED, 1 LOST``."""
    counts = result.counts
    bad = (TrialState.FAILED, TrialState.LOST)
    return ", ".join(f"{counts[state]} {state}" for state in bad if counts[state])


def _first_error(result: Result) -> list[str]:
    failures = result.failures
    if not failures:
        return []
    first = failures[0]
    others = "" if len(failures) == 1 else "; the others are those of result.failures"
    return [
        f"  first error: trial {first.id}: {gist(first.error)}, "
        f"params {shown_params(first.params)}",
        f"    its traceback is result.trials[{first.id}].error{others}",
    ]


def _mean_of_best(result: Result) -> str:
    best = result.by_configuration()[0]
    spread = "" if best.spread is None else f" ± {best.spread:.2g}"
    count = len(best.furthest)
    return f"mean of {count} repeat{'s' * (count > 1)}: {best.metric:g}{spread}"
