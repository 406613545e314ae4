"""What goes to workers of this machine: pickled by value, and the data of a run in files."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle

from asha_bus.objective.closure import is_broadcast


class PickledFile(NamedTuple):
    """Stands for what is pickled in a file; the same as a broadcast of Spark to who reads it."""

    path: str

    @property
    def value(self) -> Any:
        """What is in the file."""
        with Path(self.path).open("rb") as file:
            return pickle.load(file)


class BroadcastValue(NamedTuple):
    """Stands for a broadcast of Spark where there is no Spark to bring it."""

    value: Any


def dumps(value: Any) -> bytes:
    """``value`` pickled, with what is in the broadcasts of Spark that it holds."""
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """Pickles functions and classes of the user's program by value."""

    def reducer_override(self, obj: Any) -> Any:
        if is_broadcast(obj):
            return BroadcastValue, (obj.value,)
        return super().reducer_override(obj)
