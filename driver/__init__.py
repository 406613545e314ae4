"""What lives on the Spark driver: the bus process, its supervisor, the engines.

This folder is installed as ``asha_bus.driver`` (see ``package-dir`` in
pyproject.toml).
"""

if __name__ != "asha_bus.driver":
    raise ImportError(
        f"this package is asha_bus.driver, but was imported as {__name__!r}: "
        f"install the project (pip install -e .) and import asha_bus.driver"
    )
