"""`daybook verify REPORT`: whether a published report is still what was published, and what of it can be made again.

    verify(path, settings=settings, book=book)      path: the report's .ipynb, .html or .json

Each part of the report has an answer of its own: proven, changed (and where), or cannot tell (and why). The files
themselves must be proven, by the record's signature; the rest is what can be recomputed on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from daybook.audit import signing
from daybook.audit.seals import seals
from daybook.digest import digest_bytes
from daybook.errors import BadParameter, BookError, SettingsError
from daybook.ports import Rows
from daybook.press import manifest, sidecar
from daybook.press.execution.runner import RunOutcome
from daybook.press.notebook import digests, notebooks
from daybook.records import Run
from daybook.settings import Settings

State = Literal["proven", "changed", "cannot tell"]
CORE = ("record", "signature", "notebook", "page")
"""What must be proven; of the rest it is enough that nothing is changed."""


@dataclass(frozen=True, slots=True)
class PartCheck:
    part: str
    state: State
    words: str
    """Where it is changed, why it cannot be told, or what proves it."""


@dataclass(frozen=True, slots=True)
class Verification:
    path: Path
    checks: tuple[PartCheck, ...]

    @property
    def state(self) -> State:
        states = {check.part: check.state for check in self.checks}
        if "changed" in states.values():
            return "changed"
        return "proven" if all(states.get(part) == "proven" for part in CORE) else "cannot tell"


def verify(path: Path, *, settings: Settings, book: Rows | None, trusted: frozenset[str] | None = None) -> Verification:
    """Every part of the report at `path`, which may be any of its three files. `trusted`: public keys whose signature
    counts; by default those that this home trusts. Raises BadParameter where there is no report."""
    record_path = path.with_suffix(".json")
    if path.suffix not in {".ipynb", ".html", ".json"} or not path.with_suffix(".ipynb").parent.is_dir():
        raise BadParameter(f"{path} is no report.", remedy="Name a report's .ipynb, .html or .json.")
    try:
        raw = record_path.read_bytes()
        record = json.loads(raw)
        run = sidecar.run_from_dict(record["run"])
        stated: Mapping[str, Any] = dict(record["digests"])
    except FileNotFoundError:
        if not path.exists():
            raise BadParameter(f"There is no report at {path}.", remedy="See what there is: daybook reports") from None
        return Verification(path, (PartCheck("record", "changed", f"{record_path.name} is gone"),))
    except (OSError, ValueError, KeyError, TypeError) as error:
        words = f"{record_path.name} is no record of a run ({type(error).__name__})"
        return Verification(path, (PartCheck("record", "changed", words),))
    trusted = trusted or signing.trusted(settings.home)
    checks = [
        _record(record, raw),
        _place(settings, record_path, run),
        _signature(record, trusted),
        *_files(record_path, record, run, stated),
        _findings(record, run, book),
        _data(record, run, book),
        *_origins(settings, run),
        _sealed(settings, record_path, trusted),
    ]
    return Verification(path, tuple(checks))


def _record(record: Mapping[str, Any], raw: bytes) -> PartCheck:
    """The record's bytes are those that its content is written as: an added blank is a change, too."""
    expected = manifest.encode(record)
    if raw == expected:
        return PartCheck("record", "proven", "its bytes are as they are written")
    line, text = _first_difference(expected.decode(), raw.decode(errors="replace"))
    return PartCheck("record", "changed", f"line {line} is not as it was written: {text}")


def _place(settings: Settings, record_path: Path, run: Run) -> PartCheck:
    """Whether the report lies where it was published: one that is laid under another day or word would pass for that
    day's. Outside the reports' folder, a folder with the name of a day counts as one of them; under any other, only the
    file's own name can be told."""
    if record_path.stem != run.id:
        return PartCheck(
            "place", "changed", f"it is the report of run {run.id}, laid under the name {record_path.stem}"
        )
    resolved = record_path.resolve()
    published = settings.reports.resolve() / run.notebook / run.logical_date.isoformat() / record_path.name
    if resolved == published:
        return PartCheck("place", "proven", f"{run.notebook}, {run.logical_date}")
    word, day = resolved.parent.parent.name, resolved.parent.name
    inside = resolved.is_relative_to(settings.reports.resolve())
    if not inside and not _is_day(day):
        return PartCheck("place", "cannot tell", "it lies outside a folder of reports")
    if inside or (word, day) != (Path(run.notebook).name, run.logical_date.isoformat()):
        return PartCheck(
            "place", "changed", f"it is of {run.notebook}, {run.logical_date}, and lies under {word}/{day}"
        )
    return PartCheck("place", "proven", f"{run.notebook}, {run.logical_date}")


def _is_day(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _signature(record: Mapping[str, Any], trusted: frozenset[str]) -> PartCheck:
    signer = str(record.get("signer"))
    checks: Mapping[signing.Signature, tuple[State, str]] = {
        "good": ("proven", f"signed by {signer}"),
        "broken": ("changed", "the record is not what was signed"),
        "missing": ("cannot tell", "it is not signed: it was made before reports were, or the signature was taken off"),
        "stranger": ("cannot tell", f"it is signed by {signer}, whom nobody here trusts; name it with --signer"),
    }
    return PartCheck("signature", *checks[signing.check(record, trusted)])


def _files(record_path: Path, record: Mapping[str, Any], run: Run, stated: Mapping[str, Any]) -> Iterator[PartCheck]:
    notebook_path, page_path = record_path.with_suffix(".ipynb"), record_path.with_suffix(".html")
    text = notebook_path.read_bytes() if notebook_path.is_file() else None
    executed: dict[str, Any] | None = None
    if text is None:
        yield PartCheck("notebook", "changed", f"{notebook_path.name} is gone")
    elif digest_bytes(text) == stated.get("notebook"):
        executed = _notebook(text)
        yield PartCheck("notebook", "proven", str(stated["notebook"]))
    else:
        yield PartCheck("notebook", "changed", _changed_cells(text, record))
    page = page_path.read_bytes() if page_path.is_file() else None
    if page is None:
        yield PartCheck("page", "changed", f"{page_path.name} is gone")
    elif digest_bytes(page) == stated.get("page"):
        yield PartCheck("page", "proven", str(stated["page"]))
    else:
        yield PartCheck("page", "changed", _changed_page(page, executed, run, record))
    if executed is None:
        yield PartCheck("source", "cannot tell", "the executed notebook is not what was published")
        return
    source, parameters = digests.of_source(executed), digests.of_value(dict(run.parameters))
    if record.get("secrets_removed"):
        yield PartCheck("source", "cannot tell", "secrets were cut out of the executed notebook")
    else:
        same = source == stated.get("source") == run.source_digest
        yield PartCheck("source", "proven" if same else "changed", source if same else "its cells are not the source's")
    same = parameters == stated.get("parameters")
    yield PartCheck(
        "parameters", "proven" if same else "changed", parameters if same else "they are not those of the run"
    )


def _changed_cells(text: bytes, record: Mapping[str, Any]) -> str:
    """Which cells are not those of the record."""
    try:
        now = manifest.cells(_notebook(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return "it is no notebook any more"
    then = record.get("cells", {}).get("digests")
    if not isinstance(then, list):
        return "its bytes are others; the record has no digests of its cells"
    words = []
    for number, (before, after) in enumerate(zip_longest(then, now), 1):
        if before is None or after is None:
            words.append(f"cell {number} was {'added' if before is None else 'removed'}")
        elif before != after:
            parts = [name for name in ("id", "source", "outputs") if before.get(name) != after.get(name)]
            words.append(f"cell {number} ({after.get('id')}): {' and '.join(parts)}")
    return "; ".join(words[:20]) or "its cells are the same; something around them is not"


def _notebook(text: bytes) -> dict[str, Any]:
    """The notebook in a file, its texts whole. Raises ValueError, KeyError, TypeError or AttributeError for none."""
    import nbformat

    read: dict[str, Any] = nbformat.v4.reads(text.decode())  # type: ignore[no-untyped-call]  # has no types
    return read


def _changed_page(page: bytes, executed: dict[str, Any] | None, run: Run, record: Mapping[str, Any]) -> str:
    """The first line that differs from the page made again, where it can be made again."""
    if executed is None:
        return "its bytes are others"
    from daybook.press.publishing import render

    cells = record.get("cells", {})
    state: Any = run.state if run.state != "running" else "failed"
    outcome = RunOutcome(state=state, cell=cells.get("started", 0), cells=cells.get("of", 0))
    again = render.page(executed, run, record.get("findings", []), outcome, trail=record.get("trail"))
    if digest_bytes(again.encode()) != record["digests"].get("page"):
        return "its bytes are others; this version of Daybook makes another page, so where cannot be told"
    line, text = _first_difference(again, page.decode(errors="replace"))
    return f"line {line}: {text}"


def _first_difference(before: str, after: str) -> tuple[int, str]:
    for number, (then, now) in enumerate(zip_longest(before.splitlines(), after.splitlines(), fillvalue=""), 1):
        if then != now:
            at = next((i for i, pair in enumerate(zip_longest(then, now)) if pair[0] != pair[1]), 0)
            start = max(0, at - 20)
            return number, f"{then[start : at + 20]!r} is now {now[start : at + 20]!r}"
    return max(1, after.count("\n") + 1), "the ends of its lines are others"


def _findings(record: Mapping[str, Any], run: Run, book: Rows | None) -> PartCheck:
    """The record's findings against its own digest, and against the book's."""
    listed = record.get("findings", [])
    if digests.of_value(list(listed)) != record["digests"].get("findings"):
        return PartCheck("findings", "changed", "the record's findings are not those of its digest")
    if book is None:
        return PartCheck("findings", "cannot tell", "the book is not here; the record's own are whole")
    columns = ", ".join(sidecar.FINDING)
    try:
        rows = book.rows(f"select {columns} from findings where run_id = :run order by name", {"run": run.id})  # noqa: S608 - our own column names
        known = rows or book.rows("select id from runs where id = :run", {"run": run.id})
    except BookError as error:
        return PartCheck("findings", "cannot tell", f"the book cannot be read: {error.message}")
    if not known:
        return PartCheck("findings", "cannot tell", "this book does not know the run")
    differing = manifest.other_findings(listed, rows)
    if differing:
        return PartCheck("findings", "changed", f"the book has others under: {', '.join(differing[:10])}")
    return PartCheck("findings", "proven", f"the book has the same {len(rows)}")


def _data(record: Mapping[str, Any], run: Run, book: Rows | None) -> PartCheck:
    then = record.get("data")
    if then is None:
        return PartCheck("data window", "cannot tell", "the report is not about days of the book, or does not say")
    now = manifest.data(book, run) if book is not None else None
    if now is None:
        return PartCheck("data window", "cannot tell", "the book is not here")
    if now == then:
        return PartCheck("data window", "proven", f"{now['calls']} calls, {now['cost'] or 'no'} USD, as then")
    words = (
        f"{then['calls']} calls and {then['cost'] or 'no'} USD then, {now['calls']} and {now['cost'] or 'no'} USD now"
    )
    if int(now["calls"]) > int(then["calls"]):
        return PartCheck("data window", "cannot tell", f"{words}: calls came later; daybook audit verify says which")
    return PartCheck("data window", "changed", f"{words}; daybook audit verify says which")


def _origins(settings: Settings, run: Run) -> Iterator[PartCheck]:
    """What the run started from, as it is on this machine now. That it is another by now is no change of the report."""
    from daybook import prices

    source = settings.root / "notebooks" / f"{run.notebook}.ipynb"
    try:
        now = digests.of_source(notebooks.load(settings.root, run.notebook)) if source.is_file() else None
    except (SettingsError, BadParameter, ValueError, KeyError):
        now = None
    pairs = (
        ("project's notebook", run.source_digest, now),
        ("lock file", run.lock_digest, digests.of_file(settings.root / "requirements.lock")),
        ("price book", run.price_book, prices.version()),
        ("commit", run.git_commit, digests.commit(settings.root)),
    )
    for part, then, here in pairs:
        if then is None or here is None:
            yield PartCheck(part, "cannot tell", "the run noted none" if then is None else "there is none here")
        elif then == here and not then.endswith("+dirty"):
            yield PartCheck(part, "proven", then)
        else:
            yield PartCheck(part, "cannot tell", f"it was {then}" + ("" if then == here else f", here it is {here}"))


def _sealed(settings: Settings, record_path: Path, trusted: frozenset[str]) -> PartCheck:
    try:
        name = record_path.resolve().relative_to(settings.reports.resolve()).as_posix()
        sealed = [seal for seal in seals.load(settings.home) if name in seal.document["reports"]]
    except (ValueError, SettingsError):
        return PartCheck("seal", "cannot tell", "no seal of this home can have it")
    if not sealed:
        return PartCheck("seal", "cannot tell", "no seal has it yet")
    believed = [seal for seal in sealed if signing.check(seal.document, trusted) == "good"]
    if not believed:
        return PartCheck(
            "seal", "cannot tell", f"seal {sealed[0].number} has it, and is not signed by a key that is trusted here"
        )
    stated, now = believed[0].document["reports"][name], digest_bytes(record_path.read_bytes())
    number = believed[0].number
    return PartCheck(
        "seal", *(("proven", f"seal {number}") if stated == now else ("changed", f"not that of seal {number}"))
    )
