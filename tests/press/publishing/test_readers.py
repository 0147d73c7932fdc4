"""Who may read the reports: their owner, unless the settings say the group or everybody."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from daybook import press
from daybook.errors import SettingsError
from daybook.press.publishing import index
from daybook.settings import Settings


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("readers", "file", "page", "folder"),
    [("owner", 0o400, 0o600, 0o700), ("group", 0o440, 0o640, 0o750), ("all", 0o444, 0o644, 0o755)],
)
def test_reports_and_index_are_for_those_that_are_named(readers, file, page, folder, notebook, settings, book):
    """Notebook, page and record are for nobody to write; folders can be entered where files can be read."""
    notebook("costs", "print(1)")
    umask = os.umask(0o077)
    try:
        report = press.run(
            "costs", settings=replace(settings, readers=readers), logical_date="2026-11-20", book=book, timeout=120
        )
    finally:
        os.umask(umask)
    assert [mode(path) for path in (report.notebook, report.html, report.sidecar)] == [file] * 3
    assert mode(settings.reports / "index.html") == page
    assert [mode(at) for at in (settings.reports, settings.reports / "costs", report.html.parent)] == [folder] * 3


def test_an_index_that_is_opened_up_opens_its_folder(settings, book, tmp_path):
    """A folder that its owner alone could enter lets the others in, and keeps what it allowed already."""
    settings.reports.mkdir(mode=0o700)
    index.write(settings.reports, book, readers="group")
    assert (mode(settings.reports), mode(settings.reports / "index.html")) == (0o750, 0o640)
    index.write(settings.reports, book, readers="owner")
    assert (mode(settings.reports), mode(settings.reports / "index.html")) == (0o750, 0o600)


@pytest.mark.parametrize(
    ("text", "readers"), [(None, "owner"), ("", "owner"), ("owner", "owner"), (" Group ", "group"), ("ALL", "all")]
)
def test_the_setting_is_read(text, readers, tmp_path):
    """`DAYBOOK_PAGES`; nothing means the owner alone."""
    env = {} if text is None else {"DAYBOOK_PAGES": text}
    assert Settings.from_env(env, cwd=tmp_path).readers == readers


@pytest.mark.parametrize("text", ["everyone", "0644", "1", "owner,group"])
def test_another_word_is_refused_with_those_there_are(text, tmp_path):
    """Nobody's pages are opened by a slip."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_env({"DAYBOOK_PAGES": text}, cwd=tmp_path)
    assert str(refused.value) == f"DAYBOOK_PAGES is {text!r}. Write owner, group, all."
