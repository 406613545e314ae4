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

#: How often the memory is looked at, and how long a tuner may take until its first trial begins.
_LOOK_S, _START_S = 0.5, 180.0
#: The limit that a tuner gets: it does not end by itself, so that its own end is not measured.
_NO_LIMIT_S = 3600.0
_SCRIPTS = Path(__file__).resolve().parents[2]


def run(peer: Peer, python: str, asked: recording.Asked) -> Figures:
    """One run of a tuner."""
    about = Figures(peer.key, asked.workers, asked.step_s * 1e3)
    with tempfile.TemporaryDirectory(prefix="asha-bus-peers-") as name:
        folder = Path(name)
        error, peak = _processes(peer, python, asked._replace(folder=name), folder)
        call, trials = recording.read(folder)
        return figures_of(
            about._replace(error=error, peak_mb=peak),
            call,
            trials,
            waits=peer.waits,
            is_process=peer.is_process,
            steps=STEPS,
        )


def _processes(
    peer: Peer, python: str, asked: recording.Asked, folder: Path
) -> tuple[str, float | None]:
    """Run the program until its time is over; why it failed, and the most memory in MB."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.fspath(_SCRIPTS),
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "TMPDIR": asked.folder,
        "RAY_TMPDIR": asked.folder,
        recording.FOLDER: asked.folder,
        recording.WORKERS: str(asked.workers),
        recording.SECONDS: str(_NO_LIMIT_S),
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
    deadline, has_begun = time.monotonic() + _START_S, False
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if not has_begun and (begin := recording.first_begin(folder)) is not None:
                deadline, has_begun = begin + asked.seconds, True
            found = descendants(process.pid)
            seen.update((pid, _started(pid)) for pid in found if pid not in seen)
            peak = max(peak, sum(map(_memory_mb, found)))
            time.sleep(_LOOK_S)
        seen.update((pid, _started(pid)) for pid in descendants(process.pid) if pid not in seen)
        if process.returncode:
            error = _last_error(folder / "output.txt")
        elif not has_begun and process.returncode is None:
            error = f"no trial began within {_START_S:g} s"
    finally:
        _end(seen)
        process.wait()
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
    """When a process began, which no other one of that number has."""
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
