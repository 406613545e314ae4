"""What lies in the shared temporary folder: another user may have put it there before."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import asha_bus
from asha_bus.core.errors import AshaBusError
from asha_bus.driver import ship
from asha_bus.driver.local import LocalEngine
from asha_bus.hyperopt.results import MORE, pack, unpack
from asha_bus.objective import private
from asha_bus.objective.private import (
    check_private,
    open_private,
    private_folder,
    remove_private,
)


class Attack:
    """A pickle that makes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self._mark),)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that all users share."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(ship, "_made", {})
    yield folder
    for one in folder.iterdir():
        remove_private(one, os.getpid())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_private_folder_is_new_and_this_users_alone(shared: Path) -> None:
    one, two = private_folder("data"), private_folder("data")
    assert one != two
    assert [0o700] * 2 == [mode(one), mode(two)]
    assert os.geteuid() == one.stat().st_uid


def test_a_folder_that_others_can_enter_is_refused(shared: Path) -> None:
    folder = private_folder("data")
    (folder / "file").write_bytes(b"")
    folder.chmod(0o750)
    for use in (lambda: check_private(folder), lambda: open_private(folder / "file")):
        with pytest.raises(AshaBusError, match="has mode 750; it must belong to user"):
            use()


def test_a_folder_and_a_file_of_another_user_are_refused(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = private_folder("data")
    (folder / "file").write_bytes(b"")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(AshaBusError, match=f"belongs to user {os.getuid()} and"):
        open_private(folder / "file")
    monkeypatch.setattr(private, "_open_folder", lambda path: os.open(path, os.O_RDONLY))
    with pytest.raises(AshaBusError, match=f"is not a file of user {os.getuid() + 1}"):
        open_private(folder / "file")


def test_links_and_pipes_are_not_followed(shared: Path) -> None:
    folder = private_folder("data")
    (folder / "secret").write_bytes(b"")
    (folder / "link").symlink_to(folder / "secret")
    with pytest.raises(OSError, match="Too many levels"):
        open_private(folder / "link")
    os.mkfifo(folder / "pipe")
    with pytest.raises(AshaBusError, match="is not a file"):
        open_private(folder / "pipe")
    (shared / "way").symlink_to(folder)
    with pytest.raises(AshaBusError, match="way is not a folder"):
        open_private(shared / "way" / "secret")


def test_a_fork_does_not_remove_the_folder(shared: Path) -> None:
    folder = private_folder("data")
    remove_private(folder, os.getpid() + 1)
    assert folder.exists()
    remove_private(folder, os.getpid())
    assert not folder.exists()


# --- the zip ---------------------------------------------------------------------


def old_name() -> str:
    """The name of the zip in the shared folder, which anybody could compute beforehand."""
    digest = hashlib.sha256()
    for place, content in dict(ship._sources()).items():
        digest.update(place.encode() + b"\0" + content)
    return f"asha-bus-{os.getuid()}/asha_bus_{digest.hexdigest()[:16]}.zip"


@pytest.mark.parametrize("linked", [False, True])
def test_a_planted_zip_is_not_sent(shared: Path, tmp_path: Path, linked: bool) -> None:
    planted = shared / old_name()
    real = planted
    if linked:
        real = tmp_path / "elsewhere" / planted.name
        real.parent.mkdir()
        planted.parent.symlink_to(real.parent)
    real.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(real, "w") as archive:
        archive.writestr("asha_bus/__init__.py", "planted = True")
    made = Path(ship.make_zip())
    assert 0o700 == mode(made.parent)
    assert planted.parent != made.parent
    with zipfile.ZipFile(made) as archive:
        init = archive.read("asha_bus/__init__.py")
        names = archive.namelist()
    assert Path(asha_bus.__file__).read_bytes() == init
    assert {"asha_bus/driver/ship.py", "asha_bus/executor/task.py"} <= {*names}


def test_the_zip_is_made_once_and_again_where_it_has_changed(shared: Path) -> None:
    first = Path(ship.make_zip())
    assert str(first) == ship.make_zip()
    first.write_bytes(b"of a stranger")
    second = Path(ship.make_zip())
    assert first.name != second.name
    assert zipfile.is_zipfile(second)
    second.parent.chmod(0o777)
    third = Path(ship.make_zip())
    assert 3 == len({first, second, third})
    third.unlink()
    assert Path(ship.make_zip()).exists()


# --- data and results ------------------------------------------------------------


def test_data_have_no_name_that_others_could_open(shared: Path) -> None:
    before = sorted(shared.iterdir())
    engine = LocalEngine()
    held = engine.share({"train": [1, 2]})["train"]
    path = Path(f"/proc/self/fd/{held.fd}")
    assert before == sorted(shared.iterdir())
    assert os.readlink(path).endswith("(deleted)")
    assert [1, 2] == held.value
    engine.close(0.0)
    assert not path.exists()


@pytest.mark.parametrize("how", ["open folder", "link", "linked folder"])
def test_planted_results_are_not_unpickled(shared: Path, tmp_path: Path, how: str) -> None:
    folder = private_folder("results")
    attack = pickle.dumps(Attack(tmp_path / "ran"))
    if how == "open folder":
        (folder / "one").write_bytes(attack)
        folder.chmod(0o777)
    elif how == "link":
        (shared / "attack").write_bytes(attack)
        (folder / "one").symlink_to(shared / "attack")
    else:
        (folder / "one").write_bytes(attack)
        (shared / "way").symlink_to(folder)
        folder = shared / "way"
    results, lost = unpack({MORE: json.dumps({"file": "one"})}, folder)
    assert {} == results
    assert "cannot be read here" in lost[0]
    assert not (tmp_path / "ran").exists()


def test_results_are_not_written_through_a_planted_link(shared: Path, tmp_path: Path) -> None:
    folder = private_folder("results")
    (tmp_path / "precious").write_bytes(b"precious")
    (folder / "one").symlink_to(tmp_path / "precious")
    extras = pack({"pair": (1, 2)}, str(folder), "one")
    assert ({"pair": (1, 2)}, ()) == unpack(extras, folder)
    assert b"precious" == (tmp_path / "precious").read_bytes()


def test_results_are_not_written_into_a_folder_of_others(shared: Path) -> None:
    folder = shared / "asha-bus-results-planted"
    folder.mkdir()
    folder.chmod(0o777)
    extras = pack({"pair": (1, 2)}, str(folder), "one")
    assert ["pair"] == json.loads(extras[MORE])["lost"]
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("more", ["[]", "3", '{"values": 3}', '{"lost": 3}', '{"values": [1]}'])
def test_results_that_a_worker_garbled_are_dropped(more: str) -> None:
    assert ({"n": 3}, ()) == unpack({"n": 3, MORE: more}, None)
