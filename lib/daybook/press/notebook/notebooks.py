"""Finds a notebook by its word, and what it needs to run: its source and its kernel."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from daybook.errors import KernelMissing, PressError, UnknownNotebook, meant


def words(root: Path) -> list[str]:
    """The words that have a notebook, sorted."""
    return sorted(path.stem for path in (root / "notebooks").glob("*.ipynb"))


def load(root: Path, word: str) -> dict[str, Any]:
    """The notebook `notebooks/<word>.ipynb`. Raises UnknownNotebook, naming those there are."""
    known = words(root)
    if word not in known:
        remedy = f"{meant(word, known)}There are: {', '.join(known)}."
        if not known:
            remedy = f"{root / 'notebooks'} has no .ipynb file: go to the folder of your project."
        raise UnknownNotebook(f"There is no notebook {word[:60]!r}.", remedy=remedy)
    path = root / "notebooks" / f"{word}.ipynb"
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PressError(
            f"The notebook {path} can't be read: {str(error)[:200]}.",
            remedy="Mend it, or take it from version control.",
        ) from error


def parse(text: str) -> dict[str, Any]:
    """A notebook from the text of its file, in version 4. Raises ValueError where it is none."""
    import nbformat

    try:
        notebook: dict[str, Any] = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]  # has no types
        whole = all(isinstance(cell["source"], str) and cell["cell_type"] for cell in notebook["cells"])
    except (AttributeError, KeyError, TypeError, nbformat.ValidationError) as error:
        message = " ".join(str(error).split())[:120]
        raise ValueError(f"it is JSON, but no notebook ({message})") from error
    if not whole:
        raise ValueError("it has a cell without text")
    return notebook


def text_of(notebook: dict[str, Any]) -> str:
    """A notebook as its file has it."""
    import nbformat

    node = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]  # has no types
    return str(nbformat.writes(node)) + "\n"  # type: ignore[no-untyped-call]  # has no types


def kernel(word: str, notebook: dict[str, Any]) -> str:
    """The name of the notebook's kernel, once it is known to be there. Raises KernelMissing."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    name = str(notebook["metadata"].get("kernelspec", {}).get("name") or "python3")
    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel as error:
        there = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise KernelMissing(
            f"The notebook {word} asks for the kernel {name!r}, which is not installed (there are: {there}).",
            remedy=_install(name),
        ) from error
    starts = spec.argv[0] if spec.argv else ""
    if starts.startswith("python") and "/" not in starts:  # Jupyter puts this very interpreter there
        return name
    if shutil.which(starts) is None:
        raise KernelMissing(
            f"The kernel {name!r} of the notebook {word} would start {starts!r}, which is not there.",
            remedy=_install(name),
        )
    if name == "python3" and Path(starts).absolute() != Path(sys.executable).absolute():
        raise KernelMissing(
            f"The kernel python3 belongs to another environment: {starts}, not {sys.executable}.",
            remedy=_install(name),
        )
    return name


def _install(name: str) -> str:
    if name == "python3":
        return f"Install it: {sys.executable} -m ipykernel install --sys-prefix"
    return "Install that kernel, or set the notebook's kernel to python3, which Daybook brings."
