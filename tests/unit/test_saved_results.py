"""A saved result: what is loaded is what was saved, and a file of a stranger is data only."""

from __future__ import annotations

import math
import os
import stat
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lib.results import simulated
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.core.failures import Repeated
from asha_bus.core.schedulers import Hyperband
from asha_bus.formats import saved
from asha_bus.formats.records import framed, packed, unpacked

RUN = simulated(60)
PAUSING = simulated(21, scheduler=Hyperband.classic(9), until=30.0)


def told(result: ab.Result) -> list[Any]:
    """All that a result holds, where NaN equals NaN."""
    names = [name for name in vars(result) if name not in ("space", "settings", "bus")]
    held = [repr(getattr(result, name)) for name in names]
    trials = [[repr(getattr(one, f.name)) for f in fields(one)] for one in result.trials]
    plain = None if result.settings is None else result.settings.to_plain()
    return [held, trials, repr(plain), repr(result.bus), repr(result.space)]


@pytest.mark.parametrize("result", [RUN, PAUSING, make_result()], ids=["run", "pausing", "empty"])
def test_what_is_loaded_is_what_was_saved(result: ab.Result, tmp_path: Path) -> None:
    path = tmp_path / "run.result"
    assert path == result.save(path)
    loaded = ab.Result.load(path)
    assert told(result) == told(loaded)
    assert repr(result) == repr(loaded)
    assert list(result.decisions()) == list(loaded.decisions())
    assert [result.explain(t.id) for t in result.trials] == [
        loaded.explain(t.id) for t in loaded.trials
    ]


def test_odd_values_are_kept(tmp_path: Path) -> None:
    result = make_result(
        make_trial(0, metric=math.nan, extras={"a": math.inf, "b": None, "c": "\udcff", "d": 1}),
        make_trial(
            1,
            ab.TrialState.PAUSED,
            log="line\n",
            reports=((1, 0.5), (2, math.nan)),
            extra_curves={"accuracy": ((1, 0.25),)},
            pauses=((1.0, 2.0), (3.0, None)),
            error="boom",
        ),
        trial_warnings=(Repeated(1, "odd", 3),),
        mode="max",
    )
    loaded = ab.Result.load(result.save(tmp_path / "odd"))
    assert told(result) == told(loaded)


def test_options_other_than_plain_data_are_shown_or_brought_along(tmp_path: Path) -> None:
    space = ab.Space(x=ab.choice(math.sin, math.cos))
    result = make_result(make_trial(0, params={"x": math.cos}, point=(1.0,)), space=space)
    path = result.save(tmp_path / "run.result")
    assert "math.cos" == repr(ab.Result.load(path).trials[0].params["x"])
    assert math.cos is ab.Result.load(path, space=space).trials[0].params["x"]


def test_a_file_is_replaced_at_once_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "run.result"
    RUN.save(path)
    make_result().save(path)
    assert ["run.result"] == os.listdir(tmp_path)
    assert () == ab.Result.load(path).trials
    umask = os.umask(0)
    os.umask(umask)
    assert 0o666 & ~umask == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("place", "why"),
    [("no/such/folder/run", "No such file or directory"), ("run\0", "null"), (".", "")],
)
def test_a_path_that_cannot_be_written(place: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ab.InvalidArgument, match=f"path: the result cannot be saved to .*{why}"):
        make_result().save(f"{tmp_path}/{place}")
    assert [] == os.listdir(tmp_path)


def test_a_path_is_a_path() -> None:
    with pytest.raises(ab.InvalidArgument, match="path must be the path of the file to write"):
        make_result().save(None)  # type: ignore[arg-type]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ab.InvalidArgument, match="the saved result .* cannot be read: No such"):
        ab.Result.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a saved result of asha-bus"),
        (b"\x80\x04K\x01.", "is not a saved result of asha-bus"),
        (b"asha-bus journal\n", "is a journal; read it with Result.from_journal"),
        (saved.MAGIC, "is damaged at byte 16"),
        (saved.MAGIC + framed(packed({"format": 2, "version": "9.9"})), "install asha-bus 9.9"),
        (saved.MAGIC + framed(packed({"no format": 0})), "the saved result cannot be read"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(ab.JournalError, match=said):
        ab.Result.load(path)


def test_a_cut_or_damaged_file_is_never_loaded(tmp_path: Path) -> None:
    path = simulated(6).save(tmp_path / "run.result")
    whole = path.read_bytes()
    draw = Random(0)
    for cut in (1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ab.JournalError):
            ab.Result.load(path)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(ab.JournalError):
            ab.Result.load(path)


def test_a_file_without_its_last_trial_is_refused(tmp_path: Path) -> None:
    path = make_result(make_trial(0), make_trial(1)).save(tmp_path / "run.result")
    head, *trials = parts_of(path)
    write(path, [head, trials[0]])
    with pytest.raises(ab.JournalError, match="has 1 of its 2 trials"):
        ab.Result.load(path)


def parts_of(path: Path) -> list[Any]:
    data, at, parts = path.read_bytes(), len(saved.MAGIC), []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        parts.append(unpacked(data[at + 8 : at + 8 + length]))
        at += 8 + length
    return parts


def write(path: Path, parts: list[Any]) -> None:
    path.write_bytes(saved.MAGIC + b"".join(framed(packed(part)) for part in parts))


HEAD = {
    "name": 7,
    "mode": "best",
    "seed": "x",
    "space": ("value", 1, 2),
    "settings": 5,
    "reason": None,
    "message": b"x",
    "elapsed_s": "x",
    "bus": {"reports": "many"},
    "trial_warnings": ((1, 2),),
    "rungs": ((1,),),
    "trials": "2",
}


@pytest.mark.parametrize("name", sorted(HEAD))
def test_each_wrong_value_of_the_head_is_refused(name: str, tmp_path: Path) -> None:
    path = make_result(make_trial(0)).save(tmp_path / "run.result")
    head, *trials = parts_of(path)
    write(path, [{**head, name: HEAD[name]}, *trials])
    with pytest.raises(ab.JournalError, match="run.result"):
        ab.Result.load(path)


@given(place=st.integers(0, 18), value=st.sampled_from([None, "x", b"x", -1.5, (), {}, True]))
def test_any_value_in_a_trial_is_refused_or_shown(place: int, value: Any) -> None:
    """Whatever stands in a file, an error of asha-bus says so, or all that is shown works."""
    result = make_result(make_trial(0), make_trial(1))
    data = saved.encode(_parts(result))
    head, first, second = _split(data)
    row = (*second[0][:place], value, *second[0][place + 1 :])
    changed = saved.MAGIC + b"".join(map(framed, map(packed, (head, first, (row, *second[1:])))))
    try:
        found = ab.Result._loaded(changed, "file", None, ())
    except ab.JournalError:
        return
    assert repr(found)
    assert found.explain(1)


def _parts(result: ab.Result) -> saved.SavedResult:
    from asha_bus.results.files import _parts_of

    return _parts_of(result)


def _split(data: bytes) -> list[Any]:
    at, parts = len(saved.MAGIC), []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        parts.append(unpacked(data[at + 8 : at + 8 + length]))
        at += 8 + length
    return parts
