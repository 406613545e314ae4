"""Carries the results that an objective of `fmin` returned beside its loss to the trials.

Plain values travel as extras. Small dicts and lists of plain JSON travel together in one more
extra. Anything else, such as a model or an array, is written to a file in a folder that the driver
made, if the worker is on the same machine: no pickle is read from the network.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asha_bus.core.errors import AshaBusError, ObjectiveError
from asha_bus.formats.wire import MAX_EXTRA_CHARS, MAX_EXTRAS
from asha_bus.objective.private import check_private, open_private
from asha_bus.objective.raised import RAISED
from asha_bus.objective.shared import dumps
from asha_bus.objective.values import to_extras

#: The extra that holds the results that cannot be extras themselves.
MORE = "_more_results"
#: The extra that tells that the objective returned `STATUS_FAIL`.
FAILED = "_status_fail"

_RESERVED = frozenset({MORE, FAILED, *RAISED})

#: The largest number of lost results that are named, and of characters of each name.
_LOST_NAMED, _NAME_CHARS = 8, 40

#: The largest number of characters that `MORE` needs beside its values.
_MORE_CHARS = 64 + _LOST_NAMED * (_NAME_CHARS + 40)


class Unpacked(NamedTuple):
    """Results as the objective returned them, and the names of lost ones."""

    results: dict[Any, Any]
    lost: tuple[str, ...]


def pack(results: Mapping[Any, Any], folder: str | None, name: str) -> dict[str, Any]:
    """``results`` as extras; the others are written to the file ``name`` in ``folder``.

    ``folder``: None drops the others without naming them as lost.
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
        more["lost"] = lost[:_LOST_NAMED]
    return {**extras, MORE: json.dumps(more, ensure_ascii=False)}


def unpack(extras: Mapping[str, Any], folder: Path | None) -> Unpacked:
    """The inverse of `pack`; it deletes the file.

    A pickle runs code, so a file that another user could have written is not read.
    """
    results: dict[Any, Any] = {key: value for key, value in extras.items() if key != MORE}
    try:
        more = json.loads(extras.get(MORE, "{}"))
        results.update(more.get("values", {}))
        lost = tuple(map(str, more.get("lost", ())))
        name = more.get("file")
    except Exception:  # a worker may send anything
        return Unpacked(results, ())
    if name is None:
        return Unpacked(results, lost)
    try:
        # only a file in that folder, whatever name came over the network
        path = None if folder is None else folder / Path(name).name
        if path is None or not path.exists():
            return Unpacked(results, (*lost, "a file that is missing"))
        with open_private(path) as file:
            results.update(pickle.load(file))
        path.unlink()
    except Exception as error:  # unpickling runs code of the user's classes
        return Unpacked(results, (*lost, f"a file that cannot be read here ({error})"))
    return Unpacked(results, lost)


def _plain(results: Mapping[Any, Any]) -> tuple[dict[str, Any], dict[Any, Any]]:
    """The results that can be extras, and the rest."""
    plain: dict[str, Any] = {}
    rest: dict[Any, Any] = {}
    for key, value in results.items():
        scalar = value
        # a scalar of numpy becomes a number of Python
        if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):
            scalar = value.item()
        try:
            if len(plain) == MAX_EXTRAS - 2 or key in _RESERVED or hasattr(scalar, "shape"):
                raise ObjectiveError("not an extra")
            plain.update(to_extras({key: scalar}))
        except ObjectiveError:
            rest[key] = value
    return plain, rest


def _small(rest: Mapping[Any, Any]) -> dict[str, Any]:
    """The values that JSON preserves, as long as they fit into one extra."""
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
    """Write those of ``values`` that can be pickled, and return their keys."""
    if not folder.is_dir():
        return frozenset()  # it is on another machine
    kept = dict(values)
    if not _can_pickle(kept):
        kept = {key: value for key, value in kept.items() if _can_pickle(value)}
    try:
        _write_file(folder / name, dumps(kept))
    except (OSError, AshaBusError):
        return frozenset()
    return frozenset(kept)


def _write_file(path: Path, content: bytes) -> None:
    """Write a new file, or replace that of an earlier attempt; a link is not followed."""
    check_private(path.parent)
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content)


def _can_pickle(value: Any) -> bool:
    try:
        dumps(value)
    except Exception:  # pickling runs user code, which may raise anything
        return False
    return True
