"""A project in a temporary folder, with notebooks that the tests write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from daybook import press
from daybook.book import Book
from daybook.settings import Settings

DAY = date(2026, 11, 20)
PARAMETERS = """
logical_date: str = "2026-11-01"  # the last day
days: int = 7                     # length of the window
label: str | None = None          # any text
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "prefect.yaml").touch()
    return Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, cwd=root)


@pytest.fixture
def book(settings: Settings) -> Iterator[Book]:
    book = Book(settings.book_url, settings.home)
    yield book
    book.close()


@pytest.fixture
def notebook(settings: Settings) -> Callable[..., Path]:
    """Writes `notebooks/<word>.ipynb` with a title, a parameters cell and the given code cells."""

    def write(
        word: str, *code: str, parameters: str | None = PARAMETERS, kernel: str = "python3", prose: str = ""
    ) -> Path:
        cells: list[Any] = [nbformat.v4.new_markdown_cell(f"# The {word}\n\nWhat happened?{prose}")]
        if parameters is not None:
            cells.append(nbformat.v4.new_code_cell(parameters.strip(), metadata={"tags": ["parameters"]}))
        cells += [nbformat.v4.new_code_cell(source.strip()) for source in code]
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        path = settings.root / "notebooks" / f"{word}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
        return path

    return write


@pytest.fixture
def run(settings: Settings, book: Book) -> Callable[..., press.Report]:
    """`press.run` in this project, for one fixed date."""

    def start(word: str, **more: Any) -> press.Report:
        given: dict[str, Any] = {"logical_date": DAY, "timeout": 120.0} | more
        return press.run(word, settings=settings, book=book, **given)

    return start


@pytest.fixture
def alive(settings: Settings) -> Callable[[], list[str]]:
    """Processes of this project's runs that still live."""

    def look() -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                told = process.environ()
                if told.get("DAYBOOK_HOME") == str(settings.home) and told.get("DAYBOOK_RUN"):
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return found

    return look
