"""A small project of its own: our flows and prefect.yaml, and notebooks that take a second."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with `traffic` (finds something) and `costs` (fails in its second cell)."""
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    shutil.copytree(ROOT / "flows", root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", root)
    return root


@pytest.fixture
def notebook(project: Path) -> Callable[..., Path]:
    """Writes a notebook with the parameters of ours and the given code cells."""

    def write(word: str, *code: str) -> Path:
        head = nbformat.v4.new_code_cell(
            'logical_date: str = "2026-11-20"  # day\ndays: int = 7  # length\nsource: str = "sample"  # book',
            metadata={"tags": ["parameters"]},
        )
        cells = [nbformat.v4.new_markdown_cell(f"# {word}\n\nWhat happened?"), head]
        made = nbformat.v4.new_notebook(
            cells=cells + [nbformat.v4.new_code_cell(source.strip()) for source in code],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        path = project / "notebooks" / f"{word}.ipynb"
        nbformat.write(made, path)
        return path

    return write
