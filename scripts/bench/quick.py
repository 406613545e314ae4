"""The bus's speed in ratios, in two minutes: decisions and turnarounds beside bare echoes.

Ours and the echoes take turns within each run, so ratios compare better than times do. On a busy
machine the percentiles of two runs of the same code may still differ by half: repeat before you
believe a difference, and look at processor time, which varies least.
"""

from __future__ import annotations

import argparse

from asha_bus.bench import load
from asha_bus.results.tables import table
from bench.turnover import HEAD, KINDS, measure, row

#: The workers of each load test.
_WORKERS = (1, 8)


def decisions(seconds: float) -> list[list[str]]:
    """A line of the table for each number of workers."""
    rows = []
    for workers in _WORKERS:
        report = load.measure(workers=workers, seconds=seconds)
        quiet = report.quiet
        decision, echo, _ = quiet.round_trips
        ratios = [quiet.ratios[name] for name in ("p50_ratio", "p99_ratio", "curve_p50_ratio")]
        cpu = decision.server_cpu, echo.server_cpu
        shown = (f"{figure:.2f}" for figure in (*ratios, cpu[0] / cpu[1]))
        rows.append([str(workers), *shown, f"{cpu[0]:.0f}", f"{decision.client_cpu:.0f}"])
    return rows


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    smoke = parser.parse_args().smoke
    names = ["workers", "p50 / echo", "p99 / echo", "p50 / CURVE echo"]
    names += ["router's cpu / echo's", "router's cpu us", "worker's cpu us"]
    print(table(decisions(2.0 if smoke else 15.0), head=names), flush=True)
    rows = [row(kind, measure(kind, 1.5 if smoke else 8.0, 1)) for kind in KINDS]
    print("\n" + table(rows, head=HEAD))


if __name__ == "__main__":
    main()
