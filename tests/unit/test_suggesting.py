"""The process of a searcher that learns: in which order it takes what it is sent."""

from __future__ import annotations

import os
from typing import Any

from asha_bus.driver.searcher_process import frames_of
from asha_bus.formats import pipe


def test_what_is_given_comes_before_what_waits() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as source, open(writing, "wb", buffering=0) as sink:

        def send(*frames: Any) -> None:
            for frame in frames:
                sink.write(pipe.pack(frame))

        frames = frames_of(source)
        send(("suggest", 0, 1), ("observe", [0]), ("suggest", 1, 1), ("given", 0, [0.5]))
        assert ["given", 0, (0.5,)] == list(next(frames))
        assert ["suggest", 0, 1] == list(next(frames))
        send(("given", 1, [0.25]), ("suggest", 2, 1))
        verbs = [next(frames)[0] for _ in range(4)]
        assert ["given", "observe", "suggest", "suggest"] == verbs
        sink.close()
        assert [] == list(frames)


def test_a_frame_of_any_size_is_read_whole() -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        with open(writing, "wb") as sink:
            sink.write(pipe.pack({"search": b"x" * 3_000_000}))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb", buffering=0) as source:
        assert {"search": b"x" * 3_000_000} == pipe.read(source)
    os.waitpid(pid, 0)
