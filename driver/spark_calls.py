"""Functions in Spark's tasks: with which Python they run, and what is shipped to them."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from pyspark import RDD, SparkContext
from pyspark import cloudpickle as spark_pickle

from asha_bus._version import __version__
from asha_bus.core.errors import WorkerError
from asha_bus.diagnosis.facts import Machine
from asha_bus.driver import spark_tasks
from asha_bus.driver.probe import NEEDED
from asha_bus.driver.ship import make_packages_zip, make_zip

logger = logging.getLogger("asha_bus")

#: A Python says its version within this time, even on a busy machine.
_VERSION_TIMEOUT_S = 30.0

#: The archives that were sent, by the application's id and their path: Spark warns of repeats.
_sent: set[tuple[str, str]] = set()


class SparkCalls:
    """Makes jobs of functions for ``context``."""

    def __init__(self, context: SparkContext) -> None:
        self._context = context
        #: Whether tasks run on this machine.
        self.is_local = (context.master or "").startswith("local")
        #: The Python to use in place of the session's.
        self._python: str | None = None
        #: The folder of shipped packages, below that of Spark's files.
        self._packages = ""

    # --- jobs ----------------------------------------------------------------

    def packed(self, function: Callable[..., Any], *, is_work: bool = False) -> Callable[..., Any]:
        """Wrap ``function`` for Spark's closure, with the broadcasts that it captured."""
        captured = self._context._pickled_broadcast_vars  # those of this thread
        captured.clear()
        pickled = dumps(function)
        broadcasts = [*captured]
        captured.clear()
        own = spark_tasks.own_modules() if self.is_local else []
        return spark_tasks.unpacked(pickled, own, broadcasts, is_work, self._packages)

    def job(self, function: Callable[[Any], Any], tasks: int) -> RDD[Any]:
        """``function`` in ``tasks`` tasks; each iterates over what it returns."""
        made = self._context.parallelize(range(tasks), tasks).mapPartitions(function)
        if self._python is not None:
            made.ctx = _WithPython(self._context, self._python)  # type: ignore[assignment]
        return made

    # --- Python --------------------------------------------------------------

    @property
    def python(self) -> str:
        """The program that tasks run."""
        return self._python or str(self._context.pythonExec)

    def why_not(self) -> str | None:
        """Why the session's Python cannot run tasks on this machine; None: as far as seen, it can.

        Spark itself would only say so after a long trace of its own.
        """
        if not self.is_local or _is_this(self.python):
            return None
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            done = subprocess.run(
                [self.python, "-c", code],
                capture_output=True,
                text=True,
                timeout=_VERSION_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"cannot be run ({error})"
        found, here = done.stdout.strip(), f"{sys.version_info[0]}.{sys.version_info[1]}"
        if found == here:
            return None
        return f"is Python {found}, and not {here}" if found else "is not a Python"

    def use_own_python(self) -> bool:
        """Run tasks with the driver's Python; False if that is impossible, or is done already."""
        if not self.is_local or _is_this(self.python):
            return False
        self._python = sys.executable
        return True

    # --- shipping ------------------------------------------------------------

    def ship_bus(self, version: str | None) -> None:
        """Send asha_bus, unless an executor has this ``version`` of it, which is ours."""
        if version != __version__:
            logger.info("shipping asha_bus to the executors, which have %s", version or "none")
            self._context.addPyFile(make_zip())

    def ship_packages(self, there: Machine, here: Machine) -> None:
        """Send pyzmq and msgpack as they are here to executors like ``there``.

        Raises `WorkerError` where they cannot run there.
        """
        if there.soabi != here.soabi:
            raise WorkerError(
                f"ship_packages=True cannot help the executor on {there.host}: its Python "
                f"{there.executable} takes modules for {there.soabi}, and those here are for "
                f"{here.soabi}. Run {there.executable} -m pip install {' '.join(NEEDED)} there"
            )
        began = time.monotonic()
        path = make_packages_zip(tuple(NEEDED))
        self._packages = os.path.basename(path).removesuffix(".zip")
        key = (str(self._context.applicationId), path)
        if key not in _sent:
            _sent.add(key)
            self._context.addArchive(f"{path}#{self._packages}")
            logger.info(
                "shipping %s to the executors: %.1f MB, made in %.2f s",
                " and ".join(NEEDED),
                os.path.getsize(path) / 1e6,
                time.monotonic() - began,
            )


def dumps(value: Any) -> bytes:
    """Pickle ``value`` as Spark pickles jobs."""
    pickled: bytes = spark_pickle.dumps(value)  # type: ignore[no-untyped-call]
    return pickled


class _WithPython:
    """A context whose tasks run another Python; Spark reads its name when it makes a job.

    The user's own jobs keep theirs, since the context itself does not change.
    """

    def __init__(self, context: SparkContext, python: str) -> None:
        self._context = context
        self.pythonExec = python

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _is_this(python: str) -> bool:
    """Whether ``python``, a name or a path, is this program; links make environments differ."""
    found = shutil.which(python)
    return found is not None and os.path.abspath(found) == os.path.abspath(sys.executable)
