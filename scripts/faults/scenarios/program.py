"""A driver that can be killed: ``python -m faults.scenarios.program SETTINGS`` (JSON)."""

from __future__ import annotations

import json
import logging
import os
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from lib import ROOT
from lib.clusters import Spark
from lib.processes import is_alive, wait_until

import asha_bus as ab
from faults.scenarios import residents
from faults.scenarios.launching import Setting
from faults.scenarios.outcome import Outcome

#: Where the program leaves its result.
_RESULT = "result.pickle"
#: Where it leaves the number of the process that it forked.
FORKED = "forked"

_SCRIPTS = ROOT / "scripts"


@contextmanager
def driver(
    setting: Setting,
    env: Mapping[str, str] | None = None,
    redirections: str = "",
    **settings: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """The program's process, which does not outlive the block.

    ``redirections``: of its standard streams, as the shell has them.
    """
    if setting.spark is not None:
        setting.spark.release()
    arguments = {
        "folder": str(setting.folder),
        "seed": setting.seed,
        "master": setting.spark.master if setting.spark else "",
        **settings,
    }
    paths = [*filter(None, [(env or {}).get("PYTHONPATH")]), str(_SCRIPTS)]
    environment = {**os.environ, **(env or {}), "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "faults.scenarios.program", json.dumps(arguments)]
    if redirections:
        command = ["/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *command]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def finish(setting: Setting, process: subprocess.Popen[bytes], timeout_s: float = 90.0) -> Any:
    """Wait for the program's end: what it left of its result, by name."""
    wait_until(lambda: process.poll() is not None, "the end of the driver", timeout_s)
    with (setting.folder / _RESULT).open("rb") as file:
        return pickle.load(file)  # written by our own program


def gone(pids: Iterable[int]) -> bool:
    """Whether all of these processes have ended."""
    return not any(map(is_alive, pids))


def fork(folder: Path) -> None:
    """Fork a child that does nothing, as a pool does."""
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    (folder / FORKED).write_text(f"{child}\n")


def main() -> None:
    """Launch, and leave the result in the folder."""
    logging.getLogger("asha_bus").setLevel(logging.ERROR)
    settings = json.loads(sys.argv[1])
    folder, seed = Path(settings.pop("folder")), settings.pop("seed")
    options = ab.BusOptions(
        lease_s=settings.pop("lease_s", 60.0), bus_timeout_s=settings.pop("bus_timeout_s", 60.0)
    )
    if settings.pop("learns", False):
        settings["searcher"] = ab.TPE()
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (settings.pop("fsize", before), most))
    began = time.time() - time.monotonic()
    master, forks = settings.pop("master"), settings.pop("forks", False)
    setting = Setting(Outcome("", "local"), Random(seed), False, folder, seed=seed)
    setting.spark = Spark(master) if master else None
    case = settings.pop("case", None)
    if case is None:
        run = setting.launch(bus=options, **settings)
    else:
        run = residents.launch(setting, case, bus=options, **settings)
    if forks:
        fork(folder)
    result = run.result()
    if setting.spark is not None:
        setting.spark.release()
    told = {
        "result": result,
        # by how much the wall clock jumped meanwhile
        "shift_s": time.time() - time.monotonic() - began,
    }
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    (folder / _RESULT).write_bytes(pickle.dumps(told))


if __name__ == "__main__":
    main()
