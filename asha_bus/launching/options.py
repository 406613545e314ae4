"""Options of the bus that most users never touch."""

# Annotations are evaluated here: the fields' checks are read from their types.

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from asha_bus.core.checks import (
    PORT,
    SECONDS,
    SWITCH,
    check_fields,
    check_names,
    checked,
    one_of,
    text,
    whole,
)
from asha_bus.core.errors import InvalidArgument

#: Keys of Spark's configuration that begin so set options of the bus.
CONF_PREFIX = "spark.ashaBus."

#: The hosts that stand for every address of this machine.
EVERY_ADDRESS = ("0.0.0.0", "::")

#: Options that there were, and what to use in their place.
_INSTEAD = {"curves": "launch(curves=...), which is True by default"}

Sync = Literal["interval", "always", "never"]


@checked()
@dataclass(frozen=True)
class BusOptions:
    """How the bus listens and how long it is patient.

    Args:
        host: The address to bind and to tell the workers. None (default) takes
            ``spark.driver.host`` on a cluster, and binds to ``spark.driver.bindAddress`` if that is
            set; it takes 127.0.0.1 where the workers are on this machine. ``"0.0.0.0"`` (``"::"``)
            binds to every address (of IPv6, also), and tells the workers the default.
        port: The port to listen at. Default 0: any free one.
        lease_s: Seconds of silence after which another worker may take a worker's trial. If the
            silent one returns before that, it goes on. Default 60.
        hang_timeout_s: Seconds after the end of its lease for which a silent worker may return.
            Then it is ended and replaced, which counts as a lost attempt. Default 120.
        bus_timeout_s: Seconds of silence of the bus after which workers give up. Time in which
            the worker's process did not run does not count. Default 60.
        max_attempts: How often a trial is run in all, if its workers are lost. Default 3.
        sync: When the journal is on the disk. ``"interval"`` (default): within about 50 ms;
            ``"always"``: before each answer; ``"never"``: when the system likes. If only a
            process is killed, none of them loses anything; if the machine fails, they differ.
        metrics_host: The address at which ``metrics_port`` listens. Default 127.0.0.1.
        sd_file: A file to write for Prometheus's file-based service discovery while the
            endpoint is open. Default None: no file.
        start_timeout_s: Seconds within which the bus must be up. Default 30.
        slots_timeout_s: Seconds that a launch on a cluster waits for a first task slot, and after
            which a run warns of workers for which there is no slot yet. Default 60.
        suggest_timeout_s: Seconds that a worker waits for a searcher's suggestion before it
            takes a random draw. Default 10.
        max_data_bytes: The most bytes that the objective, the space and each part of ``data``
            may have. Default 1 GiB.
        max_artifact_bytes: The most bytes of one artifact that a trial attaches. It stays in
            the worker's memory until the trial ends. Default 1 GiB.
        ship_packages: Whether a launch sends this Python's pyzmq and msgpack (about 1.3 MB) to
            executors of Spark that lack them; it is refused where these run another platform
            or version of Python. Default False: the launch says what to install.

    Raises:
        InvalidArgument: An option is wrong; the message names it.

    Example:
        ::

            options = ab.BusOptions(lease_s=20, sync="always")
            ab.launch(train, space, max_trials=100, bus=options)
    """

    host: Annotated[str | None, text("a host name or None")] = None
    port: Annotated[int, PORT] = 0
    lease_s: Annotated[float, SECONDS] = 60.0
    hang_timeout_s: Annotated[float, SECONDS] = 120.0
    bus_timeout_s: Annotated[float, SECONDS] = 60.0
    max_attempts: Annotated[int, whole(1, 1_000)] = 3
    sync: Annotated[Sync, one_of(Sync)] = "interval"
    metrics_host: Annotated[str, text("a host name")] = "127.0.0.1"
    sd_file: Annotated[str | None, text("the path of a file or None")] = None
    start_timeout_s: Annotated[float, SECONDS] = 30.0
    slots_timeout_s: Annotated[float, SECONDS] = 60.0
    suggest_timeout_s: Annotated[float, SECONDS] = 10.0
    max_data_bytes: Annotated[int, whole(0, 1 << 62)] = 1 << 30
    max_artifact_bytes: Annotated[int, whole(0, 1 << 62)] = 1 << 30
    ship_packages: Annotated[bool, SWITCH] = False

    def __post_init__(self) -> None:
        check_fields(self, "BusOptions: ")

    @property
    def heartbeat_s(self) -> float:
        """Seconds between two heartbeats of a worker."""
        return min(2.0, self.lease_s / 4, self.bus_timeout_s / 4)

    @classmethod
    def from_conf(cls, conf: Mapping[str, str]) -> "BusOptions":
        """Return the options that an operator set as ``spark.ashaBus.<option>``.

        Args:
            conf: Settings of Spark as texts by key; other keys are ignored.

        Returns:
            The options; those that are not set have their defaults.

        Raises:
            InvalidArgument: An option is unknown or has a wrong value; the message names its key.

        Example:
            >>> BusOptions.from_conf({"spark.ashaBus.port": "7077"}).port
            7077
        """
        kinds = {field.name: type(field.default) for field in fields(cls)}
        options: dict[str, Any] = {}
        for key, value in conf.items():
            if not key.startswith(CONF_PREFIX):
                continue
            name = key.removeprefix(CONF_PREFIX)
            if name in _INSTEAD:
                raise InvalidArgument(f"{key}: there is no such option; use {_INSTEAD[name]}")
            if name not in kinds:
                raise InvalidArgument(f"{key}: there is no such option; known: {', '.join(kinds)}")
            kind = kinds[name]
            try:
                options[name] = _FROM_TEXT.get(kind, str)(value)
            except (KeyError, ValueError) as error:
                what = "true or false" if kind is bool else "a number"
                raise InvalidArgument(f"{key} must be {what}, got {value!r}") from error
        return cls(**options)


def _naming_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """``init``, with an error that names an argument that it does not take."""

    @functools.wraps(init)
    def checked(self: BusOptions, *args: Any, **kwargs: Any) -> None:
        known = (field.name for field in fields(BusOptions))
        check_names("BusOptions()", kwargs, known, _INSTEAD)
        init(self, *args, **kwargs)

    return checked


BusOptions.__init__ = _naming_arguments(BusOptions.__init__)  # type: ignore[method-assign]

#: How a value is read from Spark's configuration, by the type of the default.
_FROM_TEXT: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    bool: lambda value: {"true": True, "false": False}[value.strip().lower()],
}
