"""The worker's side: the code that runs inside a Spark task or a local worker process.

This folder is installed as ``asha_bus.executor`` (see ``package-dir`` in
pyproject.toml). It needs only pyzmq and msgpack.
"""

if __name__ != "asha_bus.executor":
    raise ImportError(
        f"this package is asha_bus.executor, but was imported as {__name__!r}: "
        f"install the project (pip install -e .) and import asha_bus.executor"
    )
