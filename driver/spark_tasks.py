"""What is sent into Spark's tasks, and what comes back where it fails."""

from __future__ import annotations

import pickletools
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from pyspark import Broadcast
from pyspark import cloudpickle as spark_pickle

from asha_bus.driver.process import import_paths

#: What Spark says if tasks run with another Python than this one, or with none.
_OTHER_PYTHON = ("PYTHON_VERSION_MISMATCH", "Cannot run program")
PYTHON_ADVICE = (
    f"\nTasks run with the Python that PYSPARK_PYTHON names, or else with python3. Before the "
    f"session is made, set os.environ['PYSPARK_PYTHON'] = sys.executable, which is "
    f"{sys.executable} here; on a cluster, name a Python of version "
    f"{'.'.join(map(str, sys.version_info[:2]))} that all executors have"
)

#: The most lines of an error that are shown.
_ERROR_LINES = 40


class ByValue(Broadcast[Any]):
    """A broadcast pickled as jobs are: Spark's own pickling lacks the classes of a script."""

    def dump(self, value: Any, f: BinaryIO) -> None:
        with f:
            spark_pickle.dump(value, f)  # type: ignore[no-untyped-call]


def own_modules() -> list[str]:
    """The entries of sys.path with the user's modules, without Python's and installed ones."""
    installed = (sys.prefix, sys.base_prefix)
    return [
        entry
        for entry in import_paths()
        if not entry.startswith(installed) and not entry.endswith("-packages")
    ]


def unpacked(
    pickled: bytes,
    sys_path: list[str],
    broadcasts: list[Broadcast[Any]],
    is_work: bool,
    packages: str = "",
) -> Callable[..., Any]:
    """A function that unpickles ``pickled``, with installed and shipped packages first.

    A Python worker has its current folder at the front of sys.path, where a folder named
    asha_bus would hide the package. ``sys_path`` is added at the end. ``broadcasts``: the
    broadcasts that ``pickled`` refers to. ``is_work``: it is a worker's, and returns a
    `CannotLoad` where it cannot be unpickled. ``packages``: an archive of packages that was
    shipped, which those that are installed come before.
    """

    def call(*arguments: Any) -> Any:
        import os
        import sys
        from pickle import loads

        assert broadcasts is not None  # referenced here so that Spark sends them
        here = [entry for entry in sys.path if os.path.abspath(entry) == os.getcwd()]
        sys.path[:] = [entry for entry in sys.path if entry not in here] + here
        added = list(sys_path)
        if packages:
            from pyspark import SparkFiles

            added.append(os.path.join(SparkFiles.getRootDirectory(), packages))
        sys.path += [entry for entry in added if entry not in sys.path]
        try:
            function = loads(pickled)
        # unpickling runs user code, which may raise anything; a module may exit at its import
        except (Exception, SystemExit) as error:
            if not is_work:
                raise
            from asha_bus.launching.job import CannotLoad

            return [CannotLoad.from_error(error)]
        return function(*arguments)

    return call


def lacking(modules: Iterable[str]) -> Callable[[], list[str]]:
    """A function that returns those ``modules`` that are here and not on an executor.

    They are modules of the first level; one that is not here is optional, or part of a package.
    """
    names = sorted(name for name in modules if name in sys.modules or find_spec(name) is not None)

    def find() -> list[str]:
        import sys
        from importlib.util import find_spec

        return [name for name in names if name not in sys.modules and find_spec(name) is None]

    return find


def differing(here: Mapping[str, str]) -> Callable[[], list[str]]:
    """A function that says which packages an executor has in other versions than ``here``."""
    expected = dict(here)

    def compare() -> list[str]:
        from importlib.metadata import PackageNotFoundError, version

        found = []
        for name, mine in expected.items():
            try:
                there = version(name)
            except PackageNotFoundError:
                there = "missing"
            if there != mine:
                found.append(f"{name} is {there} there and {mine} here")
        return found

    return compare


def packages_in(pickled: bytes, error: str) -> dict[str, str]:
    """The installed packages that ``pickled`` or ``error`` names, with their versions here.

    Both name modules: ``error`` where data, which may be large, cannot be unpickled.
    """
    texts = {text for _, text, _ in pickletools.genops(pickled) if isinstance(text, str)}
    # protocols before 4 write a module and a name in one
    named = {text.split(" ")[0].partition(".")[0] for text in texts}
    modules = {*named, *re.findall(r"\w+", error)} & sys.modules.keys()
    found = packages_distributions()
    names = {name for module in modules for name in found.get(module, ())}
    return {name: version(name) for name in sorted(names) if name != "asha-bus"}


def how_to_send(module: str) -> str:
    """How ``module``, which executors lack, can be made importable there."""
    name = module.partition(".")[0]
    if packages := packages_distributions().get(name):
        wanted = f"{packages[0]}=={version(packages[0])}"
        return (
            f"install it there (python -m pip install {wanted}), or send an environment that has "
            f"it by spark-submit --archives"
        )
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return (
            "install it there, or send it by spark.sparkContext.addPyFile(...) or spark-submit "
            "--py-files"
        )
    path = Path(file)
    if path.name == "__init__.py":
        folder = path.parent
        return (
            f"send it before the launch: shutil.make_archive({name!r}, 'zip', "
            f"{str(folder.parent)!r}, {folder.name!r}), then "
            f"spark.sparkContext.addPyFile({name + '.zip'!r}), or give that zip by spark-submit "
            f"--py-files; or install it there"
        )
    return (
        f"send it before the launch by spark.sparkContext.addPyFile({file!r}), by spark-submit "
        f"--py-files {file}, or install it there"
    )


def own_python(python: str, why: str) -> str:
    """That workers run the driver's Python, since ``python``, the session's, cannot run them."""
    return (
        f"this session runs tasks with {python}, which {why}; workers run the driver's Python, "
        f"{sys.executable}. Set os.environ['PYSPARK_PYTHON'] = sys.executable before the session "
        f"is made, and all tasks do"
    )


def reason(error: Exception) -> str:
    """The essential part of a Spark error: its Python traceback, or else its first lines."""
    text = str(error)
    _, found, rest = text.partition("Traceback (most recent call last)")
    text = (found + rest if found else text).partition("\n\tat ")[0]
    lines = text.strip().splitlines() or [repr(error)]
    return "\n".join(lines if len(lines) <= _ERROR_LINES else [*lines[:5], "...", *lines[-30:]])


def python_advice(error: Exception) -> str:
    """What to do about ``error``, if it is about the tasks' Python; else nothing."""
    return PYTHON_ADVICE if any(sign in str(error) for sign in _OTHER_PYTHON) else ""
