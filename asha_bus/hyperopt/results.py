"""What an objective of `fmin` gave back beside its loss, on its way to the trials.

Plain values are extras. What else is small and plain as JSON goes in one more of them. All
other, such as a model or an array, goes into a file of a folder that the driver made, where
the worker is on the same machine: no pickle is read from the wire.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asha_bus.core.errors import ObjectiveError
from asha_bus.formats.wire import MAX_EXTRA_CHARS, MAX_EXTRAS
from asha_bus.objective.kinds import to_extras

#: The extra that tells of what is no extra itself.
MORE = "_more_results"
#: The extra that tells that the objective returned `STATUS_FAIL`.
FAILED = "_status_fail"

#: So many names of lost results are told, each cut to so many characters.
_LOST_TOLD, _NAME_CHARS = 8, 40

#: What `MORE` needs at most beside its values.
_MORE_CHARS = 64 + _LOST_TOLD * (_NAME_CHARS + 40)


class Unpacked(NamedTuple):
    """Results as the objective gave them, and the names of those that did not come along."""

    results: dict[Any, Any]
    lost: tuple[str, ...]


def pack(results: Mapping[Any, Any], folder: str | None, name: str) -> dict[str, Any]:
    """``results`` as extras; what cannot be one goes into the file ``name`` of ``folder``.

    ``folder``: None leaves that out, and says nothing of it.
    """
    extras, rest = _plain(results)
    if folder is None or not rest:
        return extras
    small = _small(rest)
    filed = {key: value for key, value in rest.items() if key not in small}
    written = _write(filed, Path(folder), name) if filed else frozenset()
    more: dict[str, Any] = {"values": small}
    if written:
        more["file"] = name
    lost = [str(key)[:_NAME_CHARS] for key in filed if key not in written]
    if lost:
        more["lost"] = lost[:_LOST_TOLD]
    return {**extras, MORE: json.dumps(more, ensure_ascii=False)}


def unpack(extras: Mapping[str, Any], folder: Path | None) -> Unpacked:
    """`pack` turned round; the file is gone afterwards."""
    results: dict[Any, Any] = {key: value for key, value in extras.items() if key != MORE}
    try:
        more = json.loads(extras.get(MORE, "{}"))
    except ValueError:  # a worker may send anything
        more = {}
    results.update(more.get("values", {}))
    lost = tuple(more.get("lost", ()))
    name = more.get("file")
    if name is None:
        return Unpacked(results, lost)
    try:
        # a file of that folder, and no other, whatever came over the wire
        path = None if folder is None else folder / Path(name).name
        if path is None or not path.exists():
            return Unpacked(results, (*lost, "what was kept in a file"))
        results.update(pickle.loads(path.read_bytes()))
        path.unlink()
    except Exception as error:  # it runs what the user's classes say
        return Unpacked(results, (*lost, f"what cannot be read here ({error})"))
    return Unpacked(results, lost)


def _plain(results: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Those that can be extras, as such, and the rest."""
    plain: dict[str, Any] = {}
    rest: dict[Any, Any] = {}
    for key, value in results.items():
        scalar = value
        # a number of numpy becomes one of Python of its kind; arrays are none
        if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
            scalar = value.item()
        try:
            if len(plain) == MAX_EXTRAS - 2 or key in (MORE, FAILED) or hasattr(scalar, "shape"):
                raise ObjectiveError("no extra")
            plain.update(to_extras({key: scalar}))
        except ObjectiveError:
            rest[key] = value
    return plain, rest


def _small(rest: Mapping[Any, Any]) -> dict[str, Any]:
    """Those that come back from JSON as they were, as long as there is room."""
    small: dict[str, Any] = {}
    room = MAX_EXTRA_CHARS - _MORE_CHARS
    for key, value in rest.items():
        if not isinstance(key, str) or not isinstance(value, (dict, list)):
            continue
        try:
            text = json.dumps({key: value}, ensure_ascii=False)
            is_same = json.loads(text) == {key: value}
        except (TypeError, ValueError, RecursionError):
            continue
        if is_same and len(text) <= room:
            small[key] = value
            room -= len(text)
    return small


def _write(values: Mapping[Any, Any], folder: Path, name: str) -> frozenset[Any]:
    """Write what can be pickled of ``values``; its keys."""
    if not folder.is_dir():
        return frozenset()  # of another machine
    kept = dict(values)
    if not _pickles(kept):
        kept = {key: value for key, value in kept.items() if _pickles(value)}
    try:
        (folder / name).write_bytes(_dumps(kept))
    except OSError:
        return frozenset()
    return frozenset(kept)


def _pickles(value: Any) -> bool:
    try:
        _dumps(value)
    except Exception:  # pickling runs user code, which may raise anything
        return False
    return True


def _dumps(value: Any) -> bytes:
    """By value, what is of the user's program."""
    try:
        import cloudpickle
    except ImportError:  # on an executor Spark has its own
        from pyspark import cloudpickle
    pickled: bytes = cloudpickle.dumps(value)
    return pickled
