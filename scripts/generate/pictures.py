"""Draws the pictures of the live page, the report and the plots in ``docs/images``.

A local run of about 15 seconds is shown in Chromium while it runs and when it has ended.
``--folder`` for another place, ``--smoke`` only shows that it works.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from lib import ROOT
from lib.browser import Watched, chromium
from lib.processes import wait_until
from PIL import Image

import asha_bus as ab

#: Name, width, height and colours of the pictures of a page.
SHAPES = (
    ("light", 1280, 1700, "light"),
    ("dark", 1280, 900, "dark"),
    ("phone", 390, 1400, "light"),
)
PLOTS = ("curves", "history", "rungs", "parallel")
_DPI = 110

SPACE = ab.Space(
    lr=ab.loguniform(1e-4, 1e-1),
    units=ab.randint(8, 256),
    dropout=ab.uniform(0, 0.5),
    act=ab.choice("relu", "tanh", "gelu"),
)


def learn(trial: ab.Trial, unit_s: float) -> None:
    """A learning curve with noise; the learning rate matters most, and dropout not at all."""
    noise = random.Random(trial.seed)
    miss = abs(math.log10(trial.params["lr"]) + 2.2)
    floor = 0.08 + 0.25 * miss**2 + 0.1 * abs(trial.params["units"] - 128) / 128
    floor += {"relu": 0.0, "tanh": 0.03, "gelu": 0.01}[trial.params["act"]]
    epoch = 0
    while True:
        epoch += 1
        time.sleep(unit_s * (1 + trial.params["units"] / 256))
        if trial.id % 40 == 39:
            raise ValueError("loss is not a number")
        loss = floor + 1.6 * epoch ** -(0.9 / (1 + miss)) + noise.gauss(0, 0.005)
        if not trial.report(loss, accuracy=round(math.exp(-loss), 4)):
            break


def started(trials: int, unit_s: float) -> ab.Run:
    """The run."""
    return ab.start(
        learn,
        SPACE,
        scheduler=ab.PromotionASHA(max_resource=27),
        max_trials=trials,
        seed=4,
        engine="local",
        workers=4,
        name="digits",
        monitor=None,
        page=True,
        data={"unit_s": unit_s},
    )


def opened(browser: Any, url: str) -> dict[str, Watched]:
    """The page at ``url`` in each shape."""
    found = {}
    for name, width, height, colours in SHAPES:
        size = {"width": width, "height": height}
        found[name] = Watched(browser, viewport=size, color_scheme=colours)
        found[name].page.goto(url)
    return found


def shoot(views: dict[str, Watched], folder: Path, what: str) -> None:
    """Keep a picture of each view, with the leading trial chosen."""
    for name, watched in views.items():
        watched.wait("run !== null && run.best !== null")
        watched.page.evaluate("choose(run.best)")
        watched.page.evaluate("scrollTo(0, 0)")
        watched.page.wait_for_timeout(300)  # for its frames
        keep(watched.page.screenshot(), folder / f"{what}-{name}.png")
        assert not watched.complaints, watched.complaints
        watched.close()


def keep(picture: bytes, path: Path) -> None:
    """Write ``picture`` in as few bytes as it takes."""
    Image.open(BytesIO(picture)).convert("RGB").save(path, optimize=True)
    print(path, flush=True)


def draw(result: ab.Result, folder: Path) -> None:
    """Keep the plots of ``result``."""
    mpl.use("Agg")
    axes = {name: getattr(result, f"plot_{name}")() for name in PLOTS}
    axes["params"] = result.plot_params()[0]
    for name, ax in axes.items():
        drawn = BytesIO()
        ax.figure.savefig(drawn, dpi=_DPI)
        keep(drawn.getvalue(), folder / f"plot_{name}.png")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--smoke", action="store_true", help="only show that it works")
    given = parser.parse_args()
    trials, unit_s = (40, 0.01) if given.smoke else (160, 0.08)
    with tempfile.TemporaryDirectory() as temporary, chromium() as browser:
        folder = Path(temporary) if given.smoke else given.folder
        run = started(trials, unit_s)
        assert run.page_url is not None
        views = opened(browser, run.page_url)
        wait_until(lambda: run.status()["states"]["COMPLETED"] > 0, "a trial ends")
        wait_until(lambda: run.status()["trials"] > 0.6 * trials, "most trials have begun")
        shoot(views, folder, "page")
        result = run.result(timeout=120)
        report = result.report(Path(temporary) / "report.html")
        shoot(opened(browser, report.as_uri()), folder, "report")
    with tempfile.TemporaryDirectory() as temporary:
        draw(result, Path(temporary) if given.smoke else given.folder)


if __name__ == "__main__":
    main()
