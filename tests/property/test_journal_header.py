"""A journal's header that anybody may have written: it is read, or refused; it runs nothing."""

from __future__ import annotations

import copy
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asha_bus as ab
from asha_bus.core.errors import InvalidArgument, JournalError
from asha_bus.core.space import as_space
from asha_bus.driver.journal import open_journal
from asha_bus.formats.journal import MAGIC, read_header
from asha_bus.formats.records import framed
from asha_bus.formats.space_form import describe
from asha_bus.monitors.base import Monitor
from asha_bus.monitors.watch import JournalFollower
from asha_bus.results.result import Result

GOLDEN = (Path(__file__).resolve().parents[1] / "data" / "golden_journal.bin").read_bytes()
HEADER, RECORDS_AT = read_header(GOLDEN, "golden")
RECORDS = GOLDEN[RECORDS_AT:]
SPACES = [
    {"x": ab.uniform(0, 1)},
    ab.Space({"x": ab.grid(1, 2), "y": ab.choice("a", "b")}).sample(3, seed=1),
    {"a": [ab.loguniform(1e-3, 1, q=1e-3), (ab.normal(0, 1), ab.ordinal(1, 2))]},
    {"m": ab.choice({"n": ab.randint(1, 9, log=True)}, {"f": ab.func(len, ab.choice("abc"))})},
    ab.Space({"x": ab.uniform(0, 1)}) + {"y": ab.uniform(0, 1)},
    ab.Space({"x": ab.uniform(0, 1)}) * ab.Space({"y": ab.grid(1, 2)}).where(lambda y: y > 1),
]

WORDS = st.sampled_from(
    [
        "os:system",
        "builtins:eval",
        "this",
        "min",
        "max",
        "class",
        "value",
        "dict",
        "same",
        "",
        "\x1b[2J",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0, 1, -1, 2, 3])
    | st.floats()
    | WORDS
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)

#: What Python does on the way to running code; see its table of audit events.
RUNS = {"exec", "import", "os.exec", "os.posix_spawn", "os.system", "pickle.find_class"}
RUNS |= {"subprocess.Popen", "compile", "socket.connect"}
_seen: list[tuple[str, Any]] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is not None and event in RUNS:
        _seen.append((event, arguments))


sys.addaudithook(_note)


@pytest.fixture(scope="module", autouse=True)
def read_once() -> None:
    """Modules that are loaded on use are loaded now."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(GOLDEN)
        read_all(path)


def plain_header(space: Any) -> dict[str, Any]:
    header = HEADER
    if space is not None:
        header = header._replace(space=describe(as_space(space)))
    payload = header.encode()[len(MAGIC) + 8 :]
    plain: dict[str, Any] = msgpack.unpackb(payload, use_list=True, strict_map_key=False)
    return plain


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Any = ()
    if isinstance(value, (dict, list)):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner:
        yield from places(child, (*path, key))


def changed(plain: Any, path: tuple[Any, ...], value: Any, how: str) -> Any:
    if not path:
        return value
    plain = copy.deepcopy(plain)
    holder = plain
    for key in path[:-1]:
        holder = holder[key]
    if how == "drop":
        del holder[path[-1]]
    elif how == "add" and isinstance(holder, dict):
        holder["more"] = value
    elif how == "add":
        holder.insert(path[-1], value)
    else:
        holder[path[-1]] = value
    return plain


@st.composite
def mutations(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """The header of a journal with some changes, and the records after it."""
    number = draw(st.integers(-1, len(SPACES) - 1))
    plain: Any = plain_header(None if number < 0 else SPACES[number])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(plain)]))
        plain = changed(plain, path, draw(VALUES), draw(st.sampled_from(["set", "drop", "add"])))
    return msgpack.packb(plain), draw(st.sampled_from([b"", RECORDS]))


def read_all(path: Path) -> None:
    """Everything that reads a journal."""
    result = Result.from_journal(path)
    assert repr(result)
    result.by_branch(), result.by_configuration(), result._repr_html_(), result.to_pandas()
    for trial in result.trials:
        result.explain(trial.id)
    follower = JournalFollower(path)
    follower.refresh(Monitor())
    follower.result()


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("settings", "scheduler", "class"), "set"),
        (("settings", "scheduler"), "add"),
        (("settings", "mode"), "set"),
        (("settings",), "add"),
        (("version",), "set"),
        (("format",), "set"),
        (("space",), "set"),
        (("name",), "set"),
    ],
)
def test_an_error_does_not_repeat_a_long_text_of_the_header(
    path: tuple[Any, ...], where: str, tmp_path: Path
) -> None:
    long: Any = "x" * 100_000
    plain = plain_header(None)
    if where == "add":
        holder = plain
        for key in path:
            holder = holder[key]
        holder[long] = 1
    else:
        plain = changed(plain, path, 99 if path == ("format",) else long, "set")
    if path == ("format",):
        plain["version"] = long
    journal = tmp_path / "journal"
    journal.write_bytes(MAGIC + framed(msgpack.packb(plain)))
    said = [error_of(lambda: read_all(journal)), error_of(lambda: resume(journal))]
    assert said[1]
    assert max(map(len, said)) < 4_000


def resume(path: Path) -> None:
    """As a run of another identity does, which is an error."""
    header = HEADER._replace(identity={"seed": -1})
    os.close(open_journal(path, header, resume=True, seed_given=True).fd)


def error_of(read: Callable[[], None]) -> str:
    """What ``read`` was refused with; empty where it was not."""
    try:
        read()
    except (JournalError, InvalidArgument) as error:
        return str(error)
    return ""


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(mutations())
def test_a_changed_header_is_read_or_refused_and_runs_nothing(changes: tuple[bytes, bytes]) -> None:
    global _seen
    payload, records = changes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        path.write_bytes(MAGIC + framed(payload) + records)
        path.chmod(0o600)
        _seen, said = [], []
        try:
            read_all(path)
        except JournalError as error:
            said.append(str(error))
        finally:
            ran, _seen = _seen, None
        assert [] == ran
        try:
            os.close(open_journal(path, HEADER, resume=True, seed_given=True).fd)
        except (JournalError, InvalidArgument) as error:
            said.append(str(error))
        assert all(str(path) in text for text in said)
