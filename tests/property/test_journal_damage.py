"""A journal that was cut, or whose bytes were changed: it is read up to there, or refused."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from random import Random

import pytest

from asha_bus.cli import main
from asha_bus.core.errors import JournalError
from asha_bus.formats.journal import Replayed, read_header, replay
from asha_bus.results.result import Result

GOLDEN = (Path(__file__).resolve().parents[1] / "data" / "golden_journal.bin").read_bytes()
BEGIN = read_header(GOLDEN, "golden")[1]
_FRAME = struct.Struct("<II")


def frames() -> list[tuple[int, int]]:
    """Where the payload of each record begins and ends."""
    found, at = [], BEGIN
    while at < len(GOLDEN):
        length, _ = _FRAME.unpack_from(GOLDEN, at)
        found.append((at + _FRAME.size, at + _FRAME.size + length))
        at = found[-1][1]
    return found


FRAMES = frames()


def show(result: Result, path: Path) -> None:
    """Everything that shows a result."""
    assert repr(result)
    assert repr(result.by_branch())
    assert repr(result.by_configuration())
    assert result._repr_html_()
    assert len(result.trials) == len(result.to_pandas())
    for trial in result.trials:
        assert result.explain(trial.id)


def read(path: Path, data: bytes) -> Replayed | None:
    """What is read, also as a result; None: it was refused."""
    path.write_bytes(data)
    error = ""
    try:
        result = Result.from_journal(path)
        replayed = replay(data, str(path))
    except JournalError as refusal:
        error = str(refusal)
    if error:
        assert str(path) in error
        return None
    show(result, path)
    return replayed


def test_a_journal_cut_at_each_of_its_last_bytes_is_read_up_to_there(tmp_path: Path) -> None:
    for left in range(min(300, len(GOLDEN) - BEGIN)):
        end = len(GOLDEN) - left
        found = read(tmp_path / "journal", GOLDEN[:end])
        assert found is not None
        whole = [stop for _, stop in FRAMES if stop <= end]
        assert (len(whole), whole[-1] if whole else BEGIN) == (found.records, found.end)


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_never_gives_another_run(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    last = FRAMES[-1][0] - _FRAME.size
    for _ in range(500):
        data = bytearray(GOLDEN)
        place = random.randrange(len(data))
        data[place] ^= 1 << random.randrange(8)
        found = read(tmp_path / "journal", bytes(data))
        # in the last record it looks like a torn one, which nobody was answered on
        assert (found is None) == (place < last)
        if found is not None:
            assert len(FRAMES) - 1 == found.records


@pytest.mark.parametrize("seed", range(3))
def test_records_that_anybody_may_have_written_are_read_or_refused(
    tmp_path: Path, seed: int
) -> None:
    """Their checksums are right: who writes a journal can compute them."""
    random = Random(seed)
    for _ in range(200):
        begin, end = random.choice(FRAMES)
        payload = bytearray(GOLDEN[begin:end])
        for _ in range(random.randrange(1, 4)):
            payload[random.randrange(len(payload))] = random.randrange(256)
        if random.random() < 0.2:
            del payload[random.randrange(9, len(payload) + 1) :]
        head = _FRAME.pack(len(payload), zlib.crc32(bytes(payload)))
        data = GOLDEN[: begin - _FRAME.size] + head + payload + GOLDEN[end:]
        read(tmp_path / "journal", bytes(data))


ODD = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -1.0, 0.0, 2.0**63, 1e18]


@pytest.mark.parametrize("seed", range(3))
def test_a_journal_with_odd_numbers_is_shown_or_refused(tmp_path: Path, seed: int) -> None:
    """In place of the times and numbers of its records; the report is strict JSON."""
    random = Random(seed)
    path = tmp_path / "journal"
    shown = 0
    for _ in range(60):
        place = random.randrange(len(FRAMES))
        begin, end = FRAMES[place]
        payload = bytearray(GOLDEN[begin:end])
        # a record's time, or a number of a message, which stands after the byte 0xcb
        doubles = [at + 1 for at in range(len(payload) - 8) if payload[at] == 0xCB]
        at = random.choice([1, *doubles])
        payload[at : at + 8] = struct.pack("<d" if at == 1 else ">d", random.choice(ODD))
        head = _FRAME.pack(len(payload), zlib.crc32(bytes(payload)))
        rest = GOLDEN[end:] if random.random() < 0.3 else b""
        data = GOLDEN[: begin - _FRAME.size] + head + payload + rest
        if read(path, data) is not None:
            Result.from_journal(path).report(tmp_path / "report.html")
            assert main(["report", str(path)]) == 0
            shown += 1
    assert shown > 10
