"""How a run stands, in plain values: what monitors and metrics are made of."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from asha_bus.core.curves import Point
from asha_bus.core.experiment import Experiment


def status(experiment: Experiment, now: float) -> dict[str, Any]:
    """The numbers of ``experiment`` at ``now``; takes the lines that objectives logged."""
    table, roster, assignments = experiment.table, experiment.roster, experiment.assignments
    leader = table.leader
    logs = list(table.logs)
    table.logs.clear()
    ready, undrawn = experiment.suggestions.depths
    busy = roster.busy(now)
    return {
        "elapsed_s": now - experiment.started,
        "states": {state.value: count for state, count in table.states.items()},
        "finished": table.finished,
        "trials": len(table),
        "counters": asdict(experiment.counters),
        "leader": None if leader is None else leader.to_row(),
        "spent": table.spent,
        "saved": table.saved,
        "rungs": [tuple(standing) for standing in experiment.scheduler.rungs()],
        "workers": roster.active,
        "joined": roster.joined,
        "left": roster.left,
        "workers_by_state": roster.standing(now),
        "silence_s": roster.silence_s(now),
        "worker_s": busy,
        "busy": assignments.busy_window or busy,
        "latency": roster.latency(),
        "queues": {
            "requeued": len(table.queue),
            "suggestions": ready,
            "undrawn": undrawn,
            "waiting_workers": roster.waiting,
        },
        "dropped": experiment.curves.dropped,
        "logs": logs,
    }


def changes(
    experiment: Experiment, most_trials: int, most_points: int
) -> tuple[list[tuple[Any, ...]], list[Point], bool]:
    """What is new since the last call: trials as rows, reports, and whether there is more.

    From the first call on it is kept what is new; that one gives all trials there are.
    """
    table = experiment.table
    changed = table.watch()
    rows = [table[changed.pop()].to_row() for _ in range(min(most_trials, len(changed)))]
    points = experiment.curves.take(most_points)
    return rows, points, bool(changed) or len(points) == most_points
