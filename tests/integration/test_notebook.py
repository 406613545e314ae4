"""Monitors in a notebook that is run without a browser: what is in the saved file."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

_TESTS = Path(__file__).resolve().parents[1]

LAUNCH = """
result = ab.launch(
    objectives.slow_slope, {"x": ab.loguniform(0.01, 1)}, scheduler=ab.ASHA(max_resource=27),
    engine="local", workers=2, max_trials=12, name="shown", monitor=MONITOR,
)
"""

CELLS = {
    "imports": "import base64\nimport asha_bus as ab\nfrom support import objectives",
    "rungs": LAUNCH.replace("MONITOR", "'rungs'"),
    # drawn from the result: the last picture has to be the same
    "rungs again": """
from asha_bus.monitors.notebook import make_picture
print(base64.b64encode(make_picture("rungs", result)).decode())
""",
    "curves": LAUNCH.replace("MONITOR", "'curves'"),
    "text": LAUNCH.replace("MONITOR", "'text'"),
    "progress": LAUNCH.replace("MONITOR", "'progress'"),
    "two": LAUNCH.replace("MONITOR", "['rungs', 'text']"),
    "behind": LAUNCH.replace("MONITOR", "'text'").replace("launch", "start"),
    "meanwhile": "print('something else')",
    "later": "len(result.result().trials)",
    "prints": """
result = ab.launch(
    objectives.prints, {"x": ab.grid(*(n / 20 for n in range(20)))}, engine="local", workers=2,
    scheduler=ab.NoStopping(max_resource=50), name="shown", monitor="text",
)
""",
    "pyplot": "import sys\n'matplotlib.pyplot' in sys.modules",
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The outputs of each cell, read from the notebook that was saved after it ran."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(_TESTS))
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    nbformat.write(notebook, folder / "saved.ipynb")
    saved = nbformat.read(folder / "saved.ipynb", as_version=4)
    return {name: cell.outputs for name, cell in zip(CELLS, saved.cells, strict=True)}


def picture_of(output: Any) -> bytes:
    """The picture of an output, which is a PNG twice as large as it is shown."""
    picture = base64.b64decode(output.data["image/png"])
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    shown = output.metadata["image/png"]
    assert (width, height) == (2 * shown["width"], 2 * shown["height"])
    return picture


@pytest.mark.parametrize("name", ["rungs", "curves"])
def test_a_chart_is_one_output_that_stays(name: str, outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs[name]
    assert "display_data" == output.output_type
    assert len(picture_of(output)) > 10_000
    assert re.match(
        r"Result of shown: 12 trials in \d+\.\d s, ended by max_trials\n", output.data["text/plain"]
    )


def test_the_last_picture_is_that_of_the_result(outputs: dict[str, list[Any]]) -> None:
    (shown,), (again,) = outputs["rungs"], outputs["rungs again"]
    assert base64.b64decode(again.text) == picture_of(shown)


def test_a_table_is_one_output_that_stays(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["text"]
    text = output.data["text/plain"]
    assert "12 of 12 trials done: " in text
    assert " elapsed, ended by max_trials, " in text
    assert "rung  resource  entries  went on " in text
    page = output.data["text/html"]
    assert page.startswith("<pre ")
    assert "12 of 12 trials done: " in page


def test_the_progress_line_is_one_output_that_stays(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["progress"]
    assert re.fullmatch(
        r"shown: 12 trials, 0:\d\d, ended by max_trials, best: trial \d+, metric 0\.\d+ at "
        r"resource 27, x=0\.\d+",
        output.data["text/plain"],
    )


def test_several_monitors_have_an_output_each(outputs: dict[str, list[Any]]) -> None:
    chart, table = outputs["two"]
    picture_of(chart)
    assert "12 of 12 trials done: " in table.data["text/plain"]


def test_a_run_in_the_background_is_shown_where_it_was_launched(
    outputs: dict[str, list[Any]],
) -> None:
    (output,) = outputs["behind"]
    assert " elapsed, ended by max_trials, " in output.data["text/plain"]
    (meanwhile,) = outputs["meanwhile"]
    assert "something else\n" == meanwhile.text
    (later,) = outputs["later"]
    assert "12" == later.data["text/plain"]


def test_a_thousand_prints_stand_whole_beside_one_output(outputs: dict[str, list[Any]]) -> None:
    first, *others = outputs["prints"]
    assert "20 of 20 trials done: 20 COMPLETED" in first.data["text/plain"]
    assert {"stream"} == {output.output_type for output in others}
    printed = "".join(output.text for output in others).splitlines()
    for trial in range(20):
        name = f"{trial / 20:.3f}"
        said = [line for line in printed if line.endswith(name)]
        assert said == [f"trial {trial}: line {number} of {name}" for number in range(50)]
    assert 1_000 == len(printed)


def test_pyplot_is_left_to_the_user(outputs: dict[str, list[Any]]) -> None:
    (output,) = outputs["pyplot"]
    assert "False" == output.data["text/plain"]
