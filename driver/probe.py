"""A function that describes the machine it runs on, also where asha_bus is not installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asha_bus._version import __version__
from asha_bus.diagnosis.facts import Machine, Package

#: The packages that executors need besides asha_bus, with their modules.
NEEDED = {"pyzmq": "zmq", "msgpack": "msgpack"}

#: asha_bus itself; the folder for executors is what an incomplete copy would lack.
ITSELF = {"asha-bus": "asha_bus.executor"}

#: What the doctor asks for: also what need not be the same everywhere, but may surprise.
ASKED = {**NEEDED, **ITSELF, "pyspark": "pyspark", "cloudpickle": "cloudpickle"}


def probe(packages: Mapping[str, str], host: str = "") -> Callable[[], tuple[Any, ...]]:
    """A function whose result `as_machine` reads, and which imports only what is always there.

    ``packages``: the names of packages, each with the module to import. ``host``: a name to
    resolve; empty: none.
    """
    pairs = tuple(packages.items())
    ours = __version__

    def describe() -> tuple[Any, ...]:
        import importlib
        import os
        import socket
        import sys
        import sysconfig
        from importlib.metadata import PackageNotFoundError, version

        def read(path: str) -> str:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    return file.read()
            except OSError:
                return ""

        def field(text: str, name: str) -> str:
            lines = [line for line in text.splitlines() if line.startswith(name)]
            return lines[0][len(name) :].strip().strip('"') if lines else ""

        def installed(package: str, module: str) -> tuple[str, str | None, str]:
            try:
                importlib.import_module(module)
            except Exception as error:  # a broken installation may raise anything
                return package, None, f"{type(error).__name__}: {error}"
            top = sys.modules[module.partition(".")[0]]
            number = getattr(top, "__version__", None)
            try:
                return package, number or version(package), ""
            except PackageNotFoundError:
                return package, "of unknown version", ""

        def forget_other_bus() -> None:
            """Let later tasks of this process import ours, which is sent to it then."""
            for name in [name for name in sys.modules if f"{name}.".startswith("asha_bus.")]:
                del sys.modules[name]

        def java() -> str | None:
            """That of Spark's process, the nearest Java above this process."""
            process = os.getppid()
            while process > 1:
                try:
                    program = os.path.realpath(f"/proc/{process}/exe", strict=True)
                except OSError:
                    return None
                if os.path.basename(program) == "java":
                    release = read(os.path.join(os.path.dirname(program), "..", "release"))
                    return field(release, "JAVA_VERSION=") or None
                process = int(field(read(f"/proc/{process}/status"), "PPid:") or 0)
            return None

        def memory() -> int | None:
            found = []
            free = field(read("/proc/meminfo"), "MemAvailable:").split()
            if free:
                found.append(1024 * int(free[0]))
            most = read("/sys/fs/cgroup/memory.max").strip()
            used = read("/sys/fs/cgroup/memory.current").strip()
            if most.isdigit() and used.isdigit():  # of this container
                found.append(max(int(most) - int(used), 0))
            return min(found, default=None)

        found = tuple(installed(*pair) for pair in pairs)
        if any(each[0] == "asha-bus" and each[1] != ours for each in found):
            forget_other_bus()
        resolved, unresolved = [], ""
        if host:
            try:
                answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                resolved = sorted({str(answer[4][0]) for answer in answers})
            except OSError as error:
                unresolved = str(error)
        files: int | None = None
        try:
            import resource

            files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            files = None if files == resource.RLIM_INFINITY else files
        except ImportError:
            pass
        return (
            socket.gethostname(),
            os.getppid(),
            sys.executable,
            ".".join(map(str, sys.version_info[:3])),
            str(sysconfig.get_config_var("SOABI")),
            java(),
            found,
            tuple(resolved),
            unresolved,
            files,
            memory(),
        )

    return describe


def as_machine(described: Sequence[Any]) -> Machine:
    """What a function of `probe` has returned."""
    machine = Machine(*described)
    return machine._replace(packages=tuple(Package(*each) for each in machine.packages))


def sent(pickled: bytes) -> Callable[[], tuple[Any, ...]]:
    """A function that calls what ``pickled`` holds, and says in words what it cannot import.

    It returns the executor's host, the id of the process that started the task, the result or
    None, and what is missing.
    """

    def call() -> tuple[Any, ...]:
        import os
        import socket
        from pickle import loads

        where = (socket.gethostname(), os.getppid())
        try:
            return (*where, loads(pickled)(), "")
        except ImportError as error:
            return (*where, None, f"{type(error).__name__}: {error}")

    return call
