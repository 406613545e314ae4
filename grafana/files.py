"""Writes the files of Prometheus and Grafana, for ``asha-bus dashboard``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from asha_bus.core.errors import InvalidArgument

_SUFFIXES = (".json", ".md", ".yml", ".yaml")


def write(folder: str | os.PathLike[str], *, force: bool = False) -> list[Path]:
    """Write dashboards, alert rules, provisioning, prometheus.yml, compose files and README.md.

    It creates ``folder`` if needed, and returns the paths of all files, unchanged ones
    included. Raises `InvalidArgument` if a file exists with other content, unless ``force`` is
    set; then nothing is written. Raises it also if a file cannot be written.
    """
    root = Path(__file__).parent
    wanted = {
        Path(os.path.expanduser(folder)) / source.relative_to(root): source.read_bytes()
        for source in sorted(root.rglob("*"))
        if source.suffix in _SUFFIXES
    }
    try:
        differ = [
            str(path)
            for path, content in wanted.items()
            if path.exists() and path.read_bytes() != content
        ]
        if differ and not force:
            raise InvalidArgument(
                f"{', '.join(differ)}: exists with other content. Give an empty folder, or --force "
                f"to overwrite it"
            )
        for path, content in wanted.items():
            _make_folder(path.parent)
            path.write_bytes(content)
            path.chmod(0o644)
    except OSError as error:
        raise InvalidArgument(
            f"{error.filename}: cannot be written: {error.strerror}. Give a folder that this user "
            f"may write to"
        ) from error
    return list(wanted)


def describe(folder: str | os.PathLike[str], written: list[Path]) -> str:
    """The list of written files, and instructions for their use."""
    place = Path(os.path.expanduser(folder)).absolute()
    shown = "\n".join(f"  {path}" for path in written)
    config, data = (shlex.quote(str(place / name)) for name in ("prometheus.yml", "data"))
    return f"""\
wrote {len(written)} files:
{shown}

With a Prometheus of this machine, where the run listens at 127.0.0.1 only:
  prometheus --config.file={config} --storage.tsdb.path={data} --web.listen-address=127.0.0.1:9090
  launch(..., metrics_port=9464)
With Docker, which also starts Grafana at http://127.0.0.1:3000:
  cd {shlex.quote(str(place))} && docker compose up
  launch(..., metrics_port=9464, bus=BusOptions(metrics_host="0.0.0.0"))
With Docker on Linux, where the run listens at 127.0.0.1 only, at any port:
  cd {shlex.quote(str(place))} && docker compose -f compose.host.yaml up
  launch(..., metrics_port=0, bus=BusOptions(sd_file={str(place / "targets.json")!r}))
{place / "README.md"} says more, also about a Grafana of your own."""


def _make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents; Grafana and Prometheus, as other users, must read it."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)
