"""The tables of ``bench/peers``, in plain text and as ``docs/benchmarks.md``."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from asha_bus import __version__
from asha_bus.results.tables import table
from bench.peering.catalog import BY_KEY, OURS, PEERS, user_lines, version_of
from bench.peering.figures import Figures, medians

#: The words around the tables, which are written by hand.
_TEMPLATE = Path(__file__).with_name("benchmarks.md")

Machine = dict[str, str]


def about_machine() -> Machine:
    """The machine that this runs on."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "machine": f"{os.cpu_count()} virtual cores ({model[1] if model else platform.machine()}), "
        f"{memory:.0f} GiB of memory, Linux {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "asha-bus": __version__,
    }


def read_lines(text: str) -> tuple[Machine, list[Figures]]:
    """The last machine and all runs of a file of JSON lines."""
    machine, runs = about_machine(), []
    for line in text.splitlines():
        plain = json.loads(line)
        if "machine" in plain:
            machine = plain
        else:
            runs.append(Figures(**plain))
    return machine, runs


Column = tuple[str, Callable[[Figures], str]]


def _shown(value: float | None, scale: float = 1.0) -> str:
    """Three digits of a number; a dash where there is none."""
    if value is None:
        return "-"
    number = value * scale
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


_COLUMNS: tuple[Column, ...] = (
    ("tuner", lambda f: BY_KEY[f.peer].title),
    ("reports/s", lambda f: _shown(f.reports_per_s)),
    ("report p50, ms", lambda f: _shown(f.report_p50_ms)),
    ("p99, ms", lambda f: _shown(f.report_p99_ms)),
    ("turnaround p50, ms", lambda f: _shown(f.turnaround_p50_ms)),
    ("p99, ms", lambda f: _shown(f.turnaround_p99_ms)),
    ("start-up, s", lambda f: _shown(f.startup_s)),
    ("memory, MB", lambda f: _shown(f.peak_mb)),
    ("lines", lambda f: str(user_lines(BY_KEY[f.peer]))),
    ("trials", lambda f: f"{f.trials:,.0f}"),
)


def _rows(found: Sequence[Figures]) -> list[list[str]]:
    return [[show(one) for _, show in _COLUMNS] for one in found if not one.error]


def plain(found: Sequence[Figures]) -> str:
    """The tables of medians for a terminal."""
    parts = []
    for workers, step_ms in dict.fromkeys((one.workers, one.step_ms) for one in found):
        some = [one for one in found if (one.workers, one.step_ms) == (workers, step_ms)]
        if rows := _rows(some):
            head = [name for name, _ in _COLUMNS]
            busy = [_share(one.busy) for one in some if not one.error]
            rows = [[*row, share] for row, share in zip(rows, busy, strict=True)]
            parts.append(f"{workers} workers, steps of {step_ms:g} ms")
            parts.append(table(rows, head=[*head, "busy"]) + "\n")
        parts += [f"{BY_KEY[one.peer].title}: {one.error}" for one in some if one.error]
    return "\n".join(parts)


def _share(busy: float | None) -> str:
    return "-" if busy is None else f"{busy:.0%}"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, of which the first column is words."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _speed(found: Sequence[Figures], workers: int) -> str:
    some = sorted(
        (one for one in found if one.workers == workers and not one.step_ms and not one.error),
        key=lambda one: -(one.reports_per_s or 0),
    )
    return markdown([name for name, _ in _COLUMNS], _rows(some))


def _busy(found: Sequence[Figures]) -> str:
    kinds = sorted({(one.workers, one.step_ms) for one in found if one.step_ms and not one.error})
    cells = {(one.peer, one.workers, one.step_ms): _share(one.busy) for one in found}
    rows = [
        [peer.title, *(cells.get((peer.key, *kind), "-") for kind in kinds)]
        for peer in PEERS
        if any((peer.key, *kind) in cells for kind in kinds)
        and not all(cells.get((peer.key, *kind), "-") == "-" for kind in kinds)
    ]
    return markdown(["tuner", *(f"{w} workers, {ms:g} ms" for w, ms in kinds)], rows)


#: Ours beside whom: the two of one row ran the same program, or what each is fastest with.
_PAIRS = (
    ("bus", "optuna"),
    ("bus", "ray-reuse"),
    ("bus", "ray"),
    ("bus", "syne-tune"),
    ("bus-spark", "fugue-tune"),
    ("bus-optuna", "optuna"),
    ("bus-optuna", "optuna-journal"),
    ("bus-optuna", "optuna-grpc"),
    ("bus-optuna-spark", "mlflow"),
)


def _ratios(runs: Sequence[Figures], workers: int) -> str:
    some = [one for one in runs if one.workers == workers and not one.step_ms and not one.error]
    rows = []
    for ours, theirs in _PAIRS:
        pairs = beside(some, ours, theirs)
        if pairs:
            more = [_over(mine.reports_per_s, other.reports_per_s) for mine, other in pairs]
            sooner = [
                _over(other.turnaround_p50_ms, mine.turnaround_p50_ms) for mine, other in pairs
            ]
            title = f"{BY_KEY[ours].title} / {BY_KEY[theirs].title}"
            rows.append([title, _middle(more), _middle(sooner), str(len(pairs))])
    return markdown(["", "times the reports/s", "times faster turnaround", "pairs"], rows)


def beside(runs: Sequence[Figures], ours: str, theirs: str) -> list[tuple[Figures, Figures]]:
    """Each run of theirs with the run of ours that was nearest to it, in the order of runs."""
    mine = [place for place, one in enumerate(runs) if one.peer == ours]
    return [
        (runs[min(mine, key=lambda at: abs(at - place))], one)
        for place, one in enumerate(runs)
        if one.peer == theirs and mine
    ]


def _middle(ratios: Sequence[float | None]) -> str:
    """The median of the ratios, and the least and the most of them."""
    known = [ratio for ratio in ratios if ratio is not None]
    if not known:
        return "-"
    if len(known) == 1:
        return _shown(known[0])
    return f"{_shown(median(known))} ({_shown(min(known))} to {_shown(max(known))})"


def _over(more: float | None, less: float | None) -> float | None:
    return more / less if more and less else None


def _absent(found: Sequence[Figures]) -> str:
    present = {one.peer for one in found if not one.error}
    errors = {one.peer: f": `{one.error}`" for one in found if one.error}
    lines = []
    for peer in PEERS:
        if peer.key not in present:
            version = "" if peer.environment == OURS else f" ({version_of(peer.environment)})"
            lines.append(f"* {peer.title}{version}{errors.get(peer.key, ': not run')}")
    return "\n".join(lines) or "All of them ran."


def text_of(lines: str) -> str:
    """The document for the runs of a file of JSON lines."""
    machine, runs = read_lines(lines)
    found = medians(runs)
    used = {BY_KEY[one.peer].environment for one in found if not one.error} - {OURS}
    text = _TEMPLATE.read_text(encoding="utf-8")
    parts = {
        "machine": f"{machine['machine']}, Python {machine['python']}",
        "versions": ", ".join([f"asha-bus {machine['asha-bus']}", *sorted(map(version_of, used))]),
        "runs": str(max((one.runs for one in found), default=0)),
        "speed_2": _speed(found, 2),
        "speed_8": _speed(found, 8),
        "ratios": _ratios(runs, 2),
        "busy": _busy(found),
        "absent": _absent(found),
    }
    for name, part in parts.items():
        text = text.replace("{" + name + "}", part)
    return text
