"""Pickles jobs for local workers, and shares the data of a run with them in files."""

from __future__ import annotations

import io
import os
import pickle
import types
from typing import IO, Any, NamedTuple

from asha_bus.objective.closure import is_broadcast

try:
    import cloudpickle
except ImportError:  # an executor has Spark's alone
    from pyspark import cloudpickle

#: What cloudpickle since 3.1.3 writes for the file of a function, so that equal functions of
#: different places have equal pickles.
_HIDDEN = "<dynamic-code>"


class PickledDescriptor(NamedTuple):
    """A value pickled in a file without a name, which this process has open as ``fd``."""

    fd: int

    @property
    def value(self) -> Any:
        """Load and return the value; others that have the file open do not notice."""
        return pickle.load(io.BufferedReader(_Reader(self.fd)))


class _Reader(io.RawIOBase):
    """Reads the file that is open as ``fd`` from its beginning; it shares no position."""

    #: The most that is read at a time, since it is copied once more.
    _MOST_BYTES = 1 << 20

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self._fd, min(len(buffer), self._MOST_BYTES), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class BroadcastValue(NamedTuple):
    """Replaces a Spark broadcast in a worker without Spark."""

    value: Any


def dumps(value: Any) -> bytes:
    """Pickle ``value``; each Spark broadcast in it becomes a `BroadcastValue`."""
    file = io.BytesIO()
    dump(value, file)
    return file.getvalue()


def dump(value: Any, file: IO[bytes]) -> None:
    """Write ``value`` to ``file`` as `dumps` pickles it."""
    _Pickler(file).dump(value)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """Pickles the functions and classes of the user's program by value."""

    def reducer_override(self, obj: Any) -> Any:
        if is_broadcast(obj):
            return BroadcastValue, (obj.value,)
        if isinstance(obj, types.CodeType):  # for a traceback that shows the user's file and lines
            make, args = self.dispatch_table[types.CodeType](obj)
            return make, tuple(obj.co_filename if one == _HIDDEN else one for one in args)
        return super().reducer_override(obj)
