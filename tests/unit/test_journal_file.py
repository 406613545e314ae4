"""What lies at a journal's path: a pipe, a device, a file of others, text of any encoding."""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest

import asha_bus as ab
from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.space import Space, uniform
from asha_bus.driver import journal
from asha_bus.driver.journal import Writer, open_journal
from asha_bus.formats.journal import Header
from asha_bus.formats.records import Encoder
from asha_bus.formats.space_form import describe
from asha_bus.monitors.watch import JournalFollower
from asha_bus.results.result import Result
from asha_bus.testing.simulator import Bench

HEADER = Header("test", Bench().settings, describe(Space(x=uniform(0, 1))), {"seed": 7}, "0")


def opened(path: Path, *, resume: bool = True) -> journal.OpenJournal:
    return open_journal(path, HEADER, resume=resume, seed_given=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["pipe", "device", "folder", "socket"])
def no_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "journal"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    else:
        return Path("/dev/zero")
    return path


@pytest.mark.timeout(20)
@pytest.mark.parametrize("use", [Result.from_journal, JournalFollower, opened])
def test_what_is_not_a_file_is_an_error_in_words(no_file: Path, use: Any) -> None:
    with pytest.raises(InvalidArgument, match="is not a file, but|No such device|Is a directory"):
        use(no_file)


@pytest.mark.parametrize("use", [Result.from_journal, JournalFollower, opened])
@pytest.mark.parametrize(
    "text", ["naïve".encode("latin-1"), "\u20ac".encode("utf-16"), b"\xff\xfe"]
)
def test_text_of_any_encoding_is_not_a_journal(tmp_path: Path, text: bytes, use: Any) -> None:
    path = tmp_path / "journal"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(JournalError, match="is not an asha-bus journal; give another path"):
        use(path)


@pytest.mark.parametrize("use", [Result.from_journal, JournalFollower, opened])
def test_a_path_that_no_file_can_have_is_an_error_in_words(use: Any) -> None:
    with pytest.raises(InvalidArgument, match="null"):
        use(Path("jour\0nal"))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_journal_is_this_users_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.close(opened(tmp_path / "journal").fd)
    finally:
        os.umask(before)
    assert 0o600 == mode(tmp_path / "journal")


@pytest.mark.parametrize("content", [b"", HEADER.encode()])
def test_an_existing_journal_becomes_this_users_alone(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    path.chmod(0o644)
    os.close(opened(path).fd)
    assert 0o600 == mode(path)
    assert "could be used by others (mode 644); its mode is 600 now" in caplog.text
    caplog.clear()
    os.close(opened(path).fd)
    assert "" == caplog.text


def test_a_file_that_is_refused_keeps_its_mode(tmp_path: Path, caplog: Any) -> None:
    page = tmp_path / "index.html"
    page.write_text("<html></html>")
    page.chmod(0o644)
    with pytest.raises(ab.InvalidArgument, match="is not an asha-bus journal"):
        ab.launch(lambda x: x, {"x": ab.uniform(0, 1)}, max_trials=1, engine="local", journal=page)
    assert 0o644 == mode(page)
    assert "" == caplog.text


def test_a_file_system_with_fixed_modes_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(HEADER.encode())
    path.chmod(0o666)

    def refuse(fd: int, mode: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "fchmod", refuse)
    os.close(opened(path).fd)
    assert "does not let this be changed" in caplog.text


def test_a_journal_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    path.write_bytes(HEADER.encode())
    if os.geteuid() == 0:
        os.chown(path, 4_321, -1)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1_234)
    with pytest.raises(InvalidArgument, match=r"belongs to user \d+, who could change it"):
        opened(path)


def test_a_journal_that_is_deleted_or_replaced_is_missed_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with os.fdopen(opened(path).fd, "ab", closefd=True) as file:
        writer = Writer(file.fileno(), str(path), Encoder(), "never")
        assert writer.look() is None
        path.rename(tmp_path / "other")
        said = writer.look()
        assert said is not None
        assert f"the journal {path} was deleted or renamed" in said
        place = Path(said.rpartition(" ")[2])
        assert HEADER.encode() == place.read_bytes()
        assert writer.look() is None
        (tmp_path / "other").rename(path)
        assert writer.look() is None
        path.unlink()
        path.write_bytes(b"another file")
        assert writer.look() is not None


def test_what_cannot_be_seen_is_not_missed(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "journal"
    with os.fdopen(opened(path).fd, "ab") as file:
        writer = Writer(file.fileno(), f"{path}/below", Encoder(), "never")
        assert writer.look() is None


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_journal_that_cannot_be_begun_says_where_space_is_missing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(JournalError) as caught:
            opened(tmp_path / "journal", resume=False)
    said = str(caught.value)
    assert f"cannot be begun: No space left on device in {tmp_path}, and no trial was run" in said
    assert "Free some space there, or give another path" in said
    assert "resume" not in said
    os.close(opened(tmp_path / "journal", resume=False).fd)  # nothing was left in it
