"""What an objective of fmin returns beside its loss, on its way to the trials."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asha_bus.formats.wire import MAX_EXTRA_CHARS, MAX_EXTRAS, is_extras
from asha_bus.hyperopt.results import MORE, pack, unpack

KEEPS: list[dict[Any, Any]] = [
    {},
    {"auc": 0.5, "note": "fine", "none": None, "yes": True},
    {"params": {"x": 0.5, "layers": [1, 2, {"deep": None}]}, "empty": {}},
    {"pair": (1, 2), "by number": {1: "one"}, "none": {"value": {1, 2}}},
    {"long": "x" * 5_000, "list": list(range(3_000))},
    {f"name {i}": i for i in range(3 * MAX_EXTRAS)},
    {f"list {i}": [i] * 100 for i in range(50)},
    {3: "a key that is no text", "y" * 500: 1},
]


@pytest.mark.parametrize("given", KEEPS)
def test_results_that_can_be_pickled_are_returned(given: dict[Any, Any], tmp_path: Path) -> None:
    extras = pack(given, str(tmp_path), "one")
    assert is_extras(extras)
    assert (given, ()) == unpack(extras, tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_arrays_and_attachments_come_back(tmp_path: Path) -> None:
    given = {"scores": np.array([1.0]), "attachments": {"weights": b"12"}, "rate": np.float32(0.5)}
    results, lost = unpack(pack(given, str(tmp_path), "one"), tmp_path)
    assert ((1,), 0.5, {"weights": b"12"}, ()) == (
        results["scores"].shape,
        results["rate"],
        results["attachments"],
        lost,
    )


def test_numbers_of_numpy_become_those_of_python_of_their_kind() -> None:
    extras = pack({"best": np.argmax([1, 3]), "rate": np.float32(0.5), "yes": np.True_}, None, "")
    assert [("best", 1, int), ("rate", 0.5, float), ("yes", True, bool)] == [
        (name, value, type(value)) for name, value in extras.items()
    ]


def test_small_ones_need_no_folder(tmp_path: Path) -> None:
    away = tmp_path / "of another machine"
    extras = pack({"params": {"x": 1}, "model": object(), "n": 3}, str(away), "one")
    assert ({"params": {"x": 1}, "n": 3}, ("model",)) == unpack(extras, tmp_path)
    assert not away.exists()


def test_results_that_cannot_be_pickled_are_named_and_the_rest_is_returned(tmp_path: Path) -> None:
    given: dict[Any, Any] = {f"stream {i}": threading.Lock() for i in range(100)}
    extras = pack({**given, "pair": (1, 2)}, str(tmp_path), "one")
    assert is_extras(extras)
    assert len(extras[MORE]) <= MAX_EXTRA_CHARS
    results, lost = unpack(extras, tmp_path)
    assert {"pair": (1, 2)} == results
    assert ("stream 0", "stream 1") == lost[:2]


def test_without_a_folder_values_that_need_a_file_are_dropped() -> None:
    assert {"n": 3} == pack({"n": 3, "model": object()}, None, "one")


def test_the_last_of_a_call_counts(tmp_path: Path) -> None:
    pack({"pair": (1, 2)}, str(tmp_path), "one")
    extras = pack({"pair": (3, 4)}, str(tmp_path), "one")
    assert ({"pair": (3, 4)}, ()) == unpack(extras, tmp_path)


def test_no_other_file_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "other").write_bytes(b"no pickle")
    for name in ("../other", str(tmp_path / "other"), "..", "gone"):
        extras = {"n": 3, MORE: json.dumps({"file": name})}
        results, lost = unpack(extras, folder)
        assert {"n": 3} == results
        assert 1 == len(lost)
    assert b"no pickle" == (tmp_path / "other").read_bytes()


def test_results_that_cannot_be_read_are_lost(tmp_path: Path) -> None:
    assert ({"n": 3}, ()) == unpack({"n": 3, MORE: '{"values": {"a'}, tmp_path)
    (tmp_path / "one").write_bytes(b"no pickle")
    results, lost = unpack({MORE: json.dumps({"file": "one"})}, tmp_path)
    assert {} == results
    assert "cannot be read here" in lost[0]
    assert 1 == len(unpack({MORE: json.dumps({"file": "one"})}, None).lost)
