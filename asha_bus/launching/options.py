"""Options of the bus that most users never touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from asha_bus.core.errors import InvalidArgument

#: Keys of Spark's configuration that begin so set options of the bus.
CONF_PREFIX = "spark.ashaBus."

#: The host that stands for every address of this machine.
EVERY_ADDRESS = "0.0.0.0"

#: No time that is given may be longer: some 30 years.
MAX_SECONDS = 1e9


@dataclass(frozen=True)
class BusOptions:
    """How the bus listens and how long it is patient. Times are in seconds.

    ``host``: the address to bind and to tell the workers; None takes Spark's
    ``spark.driver.host`` on a cluster and 127.0.0.1 where the workers are on this
    machine. ``0.0.0.0`` binds to every address, and tells the workers the default.
    ``port``: 0 takes a free one (default).
    ``lease_s``: a worker that was silent for so long is taken for gone (default 60).
    ``bus_timeout_s``: workers give up when the bus was silent for so long (default 60).
    ``max_attempts``: a trial whose worker was lost is run so often in all (default 3).
    ``sync``: when the journal is on the disk. ``interval`` (default): within some 50 ms;
    ``always``: before each answer; ``never``: when the system likes. A process that
    is killed loses nothing in any of them, only a machine does.
    ``curves``: True keeps the reports between rungs, too, in the journal and in the
    result; of one trial 1,000 at most, thinned out beyond (default False).
    ``metrics_host``: the address at which ``metrics_port`` listens (default 127.0.0.1).
    ``sd_file``: a file to write for Prometheus's file-based service discovery as long
    as the endpoint is open (default None).
    ``start_timeout_s``: the bus must be up within this time (default 30).

    ``suggest_timeout_s``: a worker waits so long for a searcher's suggestion, then it
    takes a random draw (default 10).
    ``max_data_bytes``: no part of ``data`` may be larger (default 1 GiB).

    Raises `InvalidArgument`, naming the option.
    """

    host: str | None = None
    port: int = 0
    lease_s: float = 60.0
    bus_timeout_s: float = 60.0
    max_attempts: int = 3
    sync: str = "interval"
    curves: bool = False
    metrics_host: str = "127.0.0.1"
    sd_file: str | None = None
    start_timeout_s: float = 30.0
    suggest_timeout_s: float = 10.0
    max_data_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        _text("host", self.host, "a host name or None")
        if self.metrics_host is None:
            raise InvalidArgument("BusOptions: metrics_host must be a host name, got None")
        _text("metrics_host", self.metrics_host, "a host name")
        _text("sd_file", self.sd_file, "the path of a file or None")
        if not isinstance(self.curves, bool):
            raise InvalidArgument(f"BusOptions: curves must be True or False, got {self.curves!r}")
        if self.sync not in ("interval", "always", "never"):
            raise InvalidArgument(
                f"BusOptions: sync must be 'interval', 'always' or 'never', got {self.sync!r}"
            )
        _whole("port", self.port, 0, 65_535)
        _whole("max_attempts", self.max_attempts, 1, 1_000)
        _whole("max_data_bytes", self.max_data_bytes, 0, 1 << 62)
        for field in fields(self):
            if field.name.endswith("_s"):
                value = getattr(self, field.name)
                if not is_seconds(value):
                    raise InvalidArgument(
                        f"BusOptions: {field.name} must be a number of seconds above 0 and at "
                        f"most 1e9, got {value!r}"
                    )

    @property
    def heartbeat_s(self) -> float:
        """Seconds between two heartbeats of a worker."""
        return min(2.0, self.lease_s / 4, self.bus_timeout_s / 4)

    @classmethod
    def from_conf(cls, conf: Mapping[str, str]) -> BusOptions:
        """The options that an operator set as ``spark.ashaBus.<option>``.

        Raises `InvalidArgument`, naming the key, for an unknown option or a bad value.
        """
        kinds = {field.name: type(field.default) for field in fields(cls)}
        options: dict[str, Any] = {}
        for key, text in conf.items():
            if not key.startswith(CONF_PREFIX):
                continue
            name = key.removeprefix(CONF_PREFIX)
            if name not in kinds:
                raise InvalidArgument(f"{key}: there is no such option; known: {', '.join(kinds)}")
            kind = kinds[name]
            try:
                options[name] = _FROM_TEXT.get(kind, str)(text)
            except (KeyError, ValueError) as error:
                what = "true or false" if kind is bool else "a number"
                raise InvalidArgument(f"{key} must be {what}, got {text!r}") from error
        return cls(**options)


#: How a value is read from Spark's configuration, by the type of the default.
_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: lambda text: {"true": True, "false": False}[text.strip().lower()],
}


def is_seconds(value: object) -> bool:
    """Whether ``value`` is a number of seconds that clocks can count."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_SECONDS
    )


def _text(name: str, value: object, what: str) -> None:
    if value is not None and not (isinstance(value, str) and value):
        raise InvalidArgument(f"BusOptions: {name} must be {what}, got {value!r}")


def _whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidArgument(
            f"BusOptions: {name} must be a whole number from {least} to {most}, got {value!r}"
        )
