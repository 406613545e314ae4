"""Dashboards, alert rules and settings for Prometheus and Grafana, as data files.

``asha-bus dashboard DIR`` copies them. This folder is installed as ``asha_bus.grafana``
(see ``package-dir`` in pyproject.toml).
"""

if __name__ != "asha_bus.grafana":
    raise ImportError(
        f"this package is asha_bus.grafana, but was imported as {__name__!r}: "
        f"install the project (pip install -e .) and import asha_bus.grafana"
    )
