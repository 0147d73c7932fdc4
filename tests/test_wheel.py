"""What is installed from a wheel; an editable install does not notice what is missing from one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    """Queries, prices, templates, sets and weights too: all that lies in lib/daybook, and nothing else."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "lib" / "daybook", source / "lib" / "daybook", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*command, str(source)], check=True, timeout=120, capture_output=True)
    (wheel,) = tmp_path.glob("daybook-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {str(path.relative_to(ROOT / "lib")) for path in (ROOT / "lib" / "daybook").rglob("*") if path.is_file()}
    assert packed == {name for name in there if "__pycache__" not in name}
