"""Strangers: what they plant, what they write into a journal, and their connections."""

from __future__ import annotations

import hashlib
import os
import resource
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lib.connections import descriptors, greeting, resident_bytes, tcp
from lib.processes import wait_until

import asha_bus as ab
from asha_bus.driver import ship
from asha_bus.formats.journal import Header
from asha_bus.testing.simulator import Bench
from faults.scenarios.launching import END_S, Setting, ending, finished, wait_for_workers
from faults.scenarios.outcome import check

_SPACE = {"x": ab.uniform(0, 1)}
_GROWTH_BYTES = 32 << 20


class _Planted(ab.ASHA):
    """What a stranger writes into a journal in place of a scheduler."""

    def to_plain(self) -> dict[str, Any]:
        return {"class": "os:system", "command": "touch ran"}


def journal_names_code(setting: Setting) -> None:
    """A journal that names code instead of a scheduler is refused by all who read it."""
    outcome = setting.outcome
    settings = Bench(scheduler=_Planted(9)).settings
    header = Header("test", settings, ("dict", ()), {"mode": "min"}, "0")
    setting.journal.write_bytes(header.encode())
    setting.journal.chmod(0o600)
    before = os.getcwd()
    os.chdir(setting.folder)
    try:
        for name, read in (
            ("from_journal", lambda: ab.Result.from_journal(setting.journal)),
            ("resume", lambda: setting.launch(max_trials=2, resume=True)),
        ):
            outcome.faults += 1
            try:
                read()
                outcome.expect(False, f"{name} took the journal")
            except ab.AshaBusError as error:
                outcome.expect("os:system" in str(error) or name == "resume", f"{name}: {error}")
        for command in ("report", "watch"):
            outcome.faults += 1
            ended = subprocess.run(
                [sys.executable, "-m", "asha_bus.cli", command, str(setting.journal)],
                capture_output=True,
                timeout=60,
                check=False,
                text=True,
            )
            kept = ended.returncode == 1 and "Traceback" not in ended.stderr
            outcome.expect(kept, f"{command} ended with {ended.returncode}: {ended.stderr}")
    finally:
        os.chdir(before)
    outcome.expect(os.listdir(setting.folder) == ["journal"], "the journal ran a command")


def planted(setting: Setting) -> None:
    """Files and links lie in the temporary folder at names that could be guessed."""
    outcome = setting.outcome
    shared, elsewhere = setting.folder / "tmp", setting.folder / "elsewhere"
    for folder in (shared, elsewhere):
        folder.mkdir()
    shared.chmod(0o1777)
    digest = hashlib.sha256()
    for place, content in dict(ship._sources()).items():
        digest.update(place.encode() + b"\0" + content)
    guessed = elsewhere / f"asha_bus_{digest.hexdigest()[:16]}.zip"
    with zipfile.ZipFile(guessed, "w") as archive:
        archive.writestr("asha_bus/__init__.py", "planted = True")
    names = [f"asha-bus-{os.getuid()}", "asha-bus", "asha_bus", f"asha-bus-data-{os.getuid()}"]
    for name in names:
        (shared / name).symlink_to(elsewhere)
    outcome.faults = len(names) + 1
    with _temporary(shared):
        made = Path(ship.make_zip())
        with zipfile.ZipFile(made) as archive:
            init = archive.read("asha_bus/__init__.py")
        outcome.expect(b"planted" not in init, "the planted zip is sent")
        outcome.expect(
            stat.S_IMODE(made.parent.stat().st_mode) == 0o700, "others can enter the zip's folder"
        )
        made.unlink()
        made.parent.rmdir()
        with ending(setting.launch(max_trials=20)) as run:
            wait_for_workers(setting)
            ours = [path for path in shared.glob("asha*") if path.name not in names]
            open_ones = [path.name for path in ours if path.stat().st_mode & 0o077]
            outcome.expect(not open_ones, f"others can enter {open_ones}")
            result = finished(run, setting)
    check(outcome, result, setting.folder, setting.journal)
    outcome.expect(os.listdir(elsewhere) == [guessed.name], "something was written by a link")
    left = sorted({path.name for path in shared.glob("asha*")} - {*names})
    outcome.expect(not left, f"{left} are left in the temporary folder")


@contextmanager
def _temporary(folder: Path) -> Iterator[None]:
    """Temporary files of this process, and of those that it starts, lie in ``folder``."""
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    ship._made.clear()
    try:
        yield
    finally:
        ship._made.clear()
        tempfile.tempdir = before
        del os.environ["TMPDIR"]
        if variable is not None:
            os.environ["TMPDIR"] = variable


def half_open(setting: Setting) -> None:
    """2,000 connections that never say anything, or only half of it."""
    outcome = setting.outcome
    count = 200 if setting.smoke else 2_000
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2 * count + 500), limits[1]))
    try:
        with ending(setting.launch(max_time=600)) as run, ExitStack() as stack:
            wait_for_workers(setting)
            bus = run.bus_pid
            before, memory = descriptors(bus), resident_bytes(bus)
            for number in range(count):
                connection = stack.enter_context(tcp(run, 1.0))
                if number % 2:
                    connection.sendall(greeting("CURVE"))
            outcome.faults = count
            decisions = run.bus_report().decisions
            wait_until(lambda: run.bus_report().decisions > decisions + 3, "decisions meanwhile")
            wait_until(lambda: descriptors(bus) <= before + 2, "the end of the connections", 120.0)
            grown = resident_bytes(bus) - memory
            outcome.expect(grown < _GROWTH_BYTES, f"the bus grew by {grown / 2**20:.0f} MiB")
            outcome.expect(run.bus_pid == bus, "the bus was replaced")
            run.stop()
            result = run.result(END_S)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    check(outcome, result, setting.folder, setting.journal)
