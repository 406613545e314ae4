"""The bus's end of the pipe to its supervisor."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from asha_bus.formats.pipe import PipeEnd, pack


@pytest.fixture
def pipes() -> Iterator[tuple[PipeEnd, int, int]]:
    """An end, what its frames are written to, and what its own are read from."""
    (to_read, writes), (reads, to_write) = os.pipe(), os.pipe()
    os.set_blocking(reads, False)
    yield PipeEnd(to_read, to_write), writes, reads
    for fd in (to_read, to_write, reads):
        os.close(fd)


def test_frames_that_are_put_leave_together(pipes: tuple[PipeEnd, int, int]) -> None:
    end, writes, reads = pipes
    end.put(("observed", 1))
    end.put(("draw", 2))
    assert end.wants_write
    with pytest.raises(BlockingIOError):
        os.read(reads, 1)
    end.send(("reply", 3))
    assert not end.wants_write
    frames = [("observed", 1), ("draw", 2), ("reply", 3)]
    assert b"".join(map(pack, frames)) == os.read(reads, 1_000)
    os.close(writes)


@pytest.mark.parametrize("length", [10, (1 << 16) - 9, (1 << 16) - 8, 150_000])
def test_frames_of_any_length_are_read(pipes: tuple[PipeEnd, int, int], length: int) -> None:
    end, writes, _ = pipes
    assert [] == list(end.frames())
    frame = ("points", b"x" * length)
    rest, found = pack(frame), []
    while rest:  # the pipe holds less than the longest of them
        written = os.write(writes, rest[: 1 << 15])
        rest = rest[written:]
        found += list(end.frames())
    assert [frame] == found
    assert not end.is_closed
    os.write(writes, pack(("last",)))
    os.close(writes)
    assert [("last",)] == list(end.frames())
    assert [] == list(end.frames())
    assert end.is_closed
