"""The Spark session of a run: which one, where it listens, and what it is configured to do."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from asha_bus.core.errors import InvalidArgument, WorkerError

logger = logging.getLogger("asha_bus")

#: Spark 4 needs this Java, and Spark 3.5 one of 8, 11 and 17.
_JAVA = 17
_JAVA_TIMEOUT_S = 20.0

#: Spark ends Python workers that were silent for the second of these, where the first is true.
_KILL = "spark.python.worker.killOnIdleTimeout"
_IDLE = "spark.python.worker.idleTimeoutSeconds"


def find_session(spark: Any, master: str | None = None) -> SparkSession:
    """The session to use: ``spark``, or with None the active one, or a new one on ``master``.

    Raises `InvalidArgument` for anything but a running session or None, and `WorkerError` if no
    session can be started.
    """
    if spark is None:
        # a session started here runs its tasks with the same Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        spark = SparkSession.getActiveSession()
        if spark is None or is_stopped(spark.sparkContext):
            spark = _new_session(master)
    if not isinstance(spark, SparkSession):
        kind = type(spark)
        hint = "Spark Connect is not supported; use a classic session, or engine='local'"
        if "connect" not in kind.__module__:
            hint = "pass a SparkSession, or None for the active one"
        raise InvalidArgument(f"spark is a {kind.__module__}.{kind.__name__}: {hint}")
    if is_stopped(spark.sparkContext):
        raise InvalidArgument(
            "spark is a session that was stopped. Make another one with "
            "SparkSession.builder.getOrCreate(), or pass spark=None, which does that"
        )
    return spark


def is_stopped(context: SparkContext) -> bool:
    """Whether ``context`` can run nothing any more."""
    try:
        jsc = context._jsc
        return jsc is None or bool(jsc.sc().isStopped())
    except Exception:  # if the JVM is gone, py4j may raise any error
        return True


def conf_of(session: SparkSession) -> dict[str, str]:
    """What ``session`` was started with, with what was set by ``spark.conf.set`` since."""
    conf = dict(session.sparkContext.getConf().getAll())
    settings = session._jsparkSession.sessionState().conf().getAllConfs().iterator()
    while settings.hasNext():
        pair = settings.next()
        conf[pair._1()] = pair._2()
    return conf


def hosts_of(context: SparkContext) -> tuple[str, str]:
    """Where the driver can be reached, and the address of this machine to listen at for that."""
    if (context.master or "").startswith("local"):
        return "127.0.0.1", "127.0.0.1"  # the executors are on this machine
    conf = context.getConf()
    host = conf.get("spark.driver.host") or "127.0.0.1"
    return host, conf.get("spark.driver.bindAddress") or host


def warn_of_idle_timeout(conf: Mapping[str, str]) -> None:
    """Warn if Spark ends Python workers that send it nothing, as those of a run do."""
    idle = conf.get(_IDLE, "0")
    if conf.get(_KILL, "").lower() == "true" and idle.rstrip("s") not in ("", "0"):
        logger.warning(
            "%s=true and %s=%s: Spark ends each worker that long after its start, whatever it "
            "does, and its trial is lost; set %s to false",
            _KILL,
            _IDLE,
            idle,
            _KILL,
        )


def _new_session(master: str | None) -> SparkSession:
    builder = SparkSession.builder
    try:
        return (builder if master is None else builder.master(master)).getOrCreate()
    except Exception as error:  # no JVM, or one that refused: any error of py4j or of pyspark
        wrong = java_problem()
        if wrong is None:
            raise WorkerError(
                f"no Spark session could be started: {str(error).strip() or repr(error)}. Spark "
                f"has said more above; engine='local' needs no Spark"
            ) from error
        raise WorkerError(
            f"no Spark session could be started, since {wrong}. Spark needs Java {_JAVA} or later: "
            f"install it and set JAVA_HOME to its folder, or use engine='local', which needs none"
        ) from error


def java_problem() -> str | None:
    """What is wrong with the Java that Spark takes; None: nothing, as far as can be seen."""
    home = os.environ.get("JAVA_HOME")
    java = os.path.join(home, "bin", "java") if home else shutil.which("java")
    if java is None:
        return "there is no java on PATH, and JAVA_HOME is not set"
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=_JAVA_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        where = f"JAVA_HOME is {home}, and {java}" if home else java
        return f"{where} cannot be run ({error})"
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout)
    if found is None:
        return f"{java} is no Java: {(done.stderr or done.stdout).strip()[:200]!r}"
    version = int(found[2] or 0) if found[1] == "1" else int(found[1])
    return f"{java} is Java {version}" if version < _JAVA else None
