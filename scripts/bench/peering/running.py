"""Runs a program in its environment, and watches the memory of its processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.peering import recording
from bench.peering.catalog import OURS, Peer
from bench.peering.curve import STEPS
from bench.peering.figures import Figures, figures_of

#: How often the memory is looked at, and how long a tuner may take to start and to end.
_LOOK_S, _GRACE_S = 0.5, 90.0
_SCRIPTS = Path(__file__).resolve().parents[2]


def run(peer: Peer, python: str, asked: recording.Asked) -> Figures:
    """One run of a tuner."""
    about = Figures(peer.key, asked.workers, asked.step_s * 1e3)
    with tempfile.TemporaryDirectory(prefix="asha-bus-peers-") as name:
        folder = Path(name)
        error, peak = _processes(peer, python, asked._replace(folder=name), folder)
        call, trials = recording.read(folder)
        found = figures_of(
            about._replace(error=error, peak_mb=peak),
            call,
            trials,
            waits=peer.waits,
            is_process=peer.is_process,
            steps=STEPS,
        )
    return found


def _processes(
    peer: Peer, python: str, asked: recording.Asked, folder: Path
) -> tuple[str, float | None]:
    """Run the program to its end; why it failed, and the most memory in MB."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.fspath(_SCRIPTS),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        recording.FOLDER: asked.folder,
        recording.WORKERS: str(asked.workers),
        recording.SECONDS: str(asked.seconds),
        recording.STEP_S: str(asked.step_s),
        recording.TRIALS: str(asked.trials),
    }
    if peer.environment != OURS:
        environment.pop("VIRTUAL_ENV", None)
    program = _SCRIPTS / "bench" / "peering" / "programs" / f"{peer.program}.py"
    # its own session: nothing of it, and nobody else, ends with it
    with open(folder / "output.txt", "wb") as output:
        process = subprocess.Popen(
            [python, program, *peer.arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    peak, seen, error = 0.0, {process.pid: _started(process.pid)}, ""
    deadline = time.monotonic() + asked.seconds + _GRACE_S
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                error = f"did not end {_GRACE_S:g} s after its time"
                break
            found = descendants(process.pid)
            seen.update((pid, _started(pid)) for pid in found if pid not in seen)
            peak = max(peak, sum(map(_memory_mb, found)))
            time.sleep(_LOOK_S)
    finally:
        _end(seen)
        process.wait()
    if not error and process.returncode:
        error = _last_error(folder / "output.txt")
    return error, peak or None


def descendants(root: int) -> list[int]:
    """A process and all that it has started and that still belong to it."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))):
            parents[int(entry)] = int(stat[1])
    found, waiting = [], [root]
    while waiting:
        parent = waiting.pop()
        found.append(parent)
        waiting.extend(pid for pid, of in parents.items() if of == parent)
    return found


def _stat(pid: int) -> list[str]:
    """The fields of a process from its state on; empty: it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    """When a process began, by which another one of that number is told apart."""
    stat = _stat(pid)
    return stat[19] if stat else ""


def _memory_mb(pid: int) -> float:
    """The memory of a process, with its share of what it shares."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def _end(seen: dict[int, str]) -> None:
    """Kill what is left of the processes that were seen."""
    for pid, started in seen.items():
        if started and _started(pid) == started:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _last_error(path: Path) -> str:
    lines = path.read_text(errors="replace").split("\n")
    named = [line.strip() for line in lines if re.match(r"^[\w.]*(Error|Exception)\b", line)]
    return (named or [line for line in lines if line.strip()] or ["no output"])[-1][:200]
