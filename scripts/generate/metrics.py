"""Writes docs/metrics.md from the list of metrics in the code.

``python scripts generate/metrics`` writes it, ``--check`` only says whether it is up
to date, by the exit status.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lib import ROOT

from asha_bus.core.latency import BOUNDS_S
from asha_bus.core.messages import DROPPED_KINDS
from asha_bus.core.roster import WORKER_STATES
from asha_bus.core.status import Queues
from asha_bus.core.trial import TrialState
from asha_bus.driver.metrics import METRICS, REASONS
from asha_bus.driver.readings import BUCKETS, PROCESSES, VERDICTS

_FIRST_S, _LAST_S = BOUNDS_S[BUCKETS[0]], BOUNDS_S[BUCKETS[-1]]

DOCUMENT = ROOT / "docs" / "metrics.md"

_HEAD = f"""\
# Metrics

Generated from `driver/metrics.py` by `python scripts generate/metrics`.

Every metric has the label `run`, the run's name. If several runs of one process have the same
name at the same time, a number is appended to it. The user's process asks the bus for the values
every 0.5 s. Resource is in the unit of the objective's reports. The number of label values does
not grow with the number of trials or workers. All label values that are known in advance are
present from the start.

The buckets of histograms are powers of the square root of two, from {_FIRST_S * 1e6:.0f} us to
{_LAST_S:.0f} s. They are among those of Prometheus's native histograms (schema 1).
"""

_LABELS = {
    "mode": "`min` or `max`: whether a smaller or a larger metric is better",
    "scheduler": "the scheduler with its settings",
    "objective": "the objective's name",
    "engine": "`spark` or `local`",
    "version": "the version of asha-bus",
    "bracket": "the bracket's number, from 0",
    "rung": "the rung's number, from 0",
    "resource": "the resource at which the rung lies",
    "reason": REASONS,
    "verdict": VERDICTS,
    "queue": Queues._fields,
    "kind": DROPPED_KINDS,
    "process": PROCESSES,
}


def render() -> str:
    """The whole document."""
    rows = [
        f"| `{family.name}` | {family.kind} | {', '.join(family.labels)} | {family.help} |"
        for family in METRICS
    ]
    table = ["| name | type | labels | meaning |", "|---|---|---|---|", *rows]
    labels = ["| label | values |", "|---|---|"]
    labels += [f"| {name} | {_values(values)} |" for name, values in _LABELS.items()]
    labels += [
        f"| state of `asha_bus_trials` | {_values([str(state) for state in TrialState])} |",
        f"| state of `asha_bus_workers` | {_values(WORKER_STATES)} |",
    ]
    return "\n".join([_HEAD, *table, "", "## Labels", "", *labels, ""])


def _values(values: str | Sequence[str]) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document, or check it."""
    text = render()
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        return 0 if DOCUMENT.read_text(encoding="utf-8") == text else 1
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
