"""The data of a run, as a worker of the local engine finds it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, NamedTuple


class PickledFile(NamedTuple):
    """Stands for what is pickled in a file; the same as a broadcast of Spark to who reads it."""

    path: str

    @property
    def value(self) -> Any:
        """What is in the file."""
        with Path(self.path).open("rb") as file:
            return pickle.load(file)
