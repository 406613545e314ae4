"""Other tuners beside asha-bus: the same curve, space and rule, each in its own environment.

Each run is a process, which is killed when its time is over. The script prints its figures as
one line of JSON; at the end come tables of medians. Tuners take turns, so that a machine that is
busy slows all of them down. Environments are made once, which takes some minutes and 5 GB.
``--write docs/benchmarks.md`` makes the document from the lines of ``--json FILE``, to which a
run appends its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peering import document
from bench.peering.catalog import BY_KEY, OURS, PEERS, SMOKE
from bench.peering.environments import NotInstalled, python_of
from bench.peering.figures import Figures, medians
from bench.peering.recording import Asked
from bench.peering.running import run

#: How many trials a tuner gets that takes no time limit.
_TRIALS = 2_000


def runs(given: argparse.Namespace) -> Iterator[Figures]:
    """Run everything that was asked for, in turns."""
    for _ in range(given.repeats):
        for workers in given.workers:
            for step_ms in given.steps:
                for key in given.peers:
                    peer = BY_KEY[key]
                    environment = OURS if given.smoke else peer.environment
                    asked = Asked(workers, given.seconds, step_ms / 1e3, _TRIALS, "")
                    try:
                        python = python_of(environment, given.venvs.absolute())
                    except NotInstalled as error:
                        yield Figures(key, workers, step_ms, error=f"not installed: {error}")
                        continue
                    if peer.program:
                        yield run(peer, python, asked)
                    else:
                        yield Figures(key, workers, step_ms, error="there is no program for it")


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _peers(text: str) -> list[str]:
    for key in _words(text):
        if key not in BY_KEY:
            raise argparse.ArgumentTypeError(f"there is no {key!r}; known are {', '.join(BY_KEY)}")
    return _words(text)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    everyone = [peer.key for peer in PEERS]
    add("--peers", type=_peers, default=everyone, help=f"default: {','.join(everyone)}")
    add("--workers", type=_numbers, default=[2, 8], help="default: 2,8")
    add("--steps", type=_numbers, default=[0, 1, 10, 100], help="ms of a step; default: 0,1,10,100")
    add("--repeats", type=int, default=3, help="default: %(default)s")
    add(
        "--seconds",
        type=float,
        default=20.0,
        help="of each run, from its first trial on; default: %(default)s",
    )
    add("--venvs", type=Path, default=Path("build/peers"), help="default: %(default)s")
    add("--json", type=Path, help="append the lines to this file; --write reads it")
    add("--write", type=Path, help="write this document from the file of --json, and run nothing")
    add("--smoke", action="store_true", help="only show that it works, in seconds")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.write:
        if not given.json:
            parser.error("--write needs --json FILE, whose lines a run has written")
        given.write.write_text(document.text_of(given.json.read_text()), encoding="utf-8")
        return
    if given.smoke:
        given.peers, given.workers, given.steps = list(SMOKE), [2], [0]
        given.repeats, given.seconds = 1, 2.0
    found = []
    with TemporaryDirectory() as folder:
        path = given.json or Path(folder, "runs.json")
        with open(path, "a", encoding="utf-8") as file:
            print(json.dumps(document.about_machine()), file=file)
            for one in runs(given):
                line = json.dumps(one._asdict())
                print(line, flush=True)
                print(line, file=file, flush=True)
                found.append(one)
    print("\n" + document.plain(medians(found)))
    if given.smoke and any(one.error for one in found):
        sys.exit("a run failed")


if __name__ == "__main__":
    main()
