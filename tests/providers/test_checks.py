"""`daybook providers check`: who answers, with what, and what is missing."""

from __future__ import annotations

import json

from daybook.cli import main
from daybook.providers import make
from daybook.providers.catalogue import Catalogue
from daybook.providers.checks import UpstreamCheck, check

FILE = """\
upstreams:
  local: {{kind: echo}}
  good: {{kind: anthropic, base_url: '{url}/v1', api_key_env: GOOD_KEY}}
  keyless: {{kind: anthropic, base_url: '{url}/v1', api_key_env: NO_KEY}}
  away: {{kind: openai, base_url: 'http://127.0.0.1:9/v1'}}
"""


async def test_each_upstream_says_what_it_has_or_what_is_missing(tmp_path, anthropic):
    """Each of those that are named is asked, in that order; nothing is sent where the key is missing."""
    path = tmp_path / "models.yml"
    path.write_text(FILE.format(url=anthropic.url))
    catalogue = Catalogue.load(path, {"GOOD_KEY": "sk-1"})
    names = ("local", "good", "keyless", "away")
    local, good, keyless, away = await check([catalogue.upstreams[name] for name in names], make)
    assert (local.name, local.answers) == ("local", True)
    url = f"{anthropic.url}/v1"
    models = ("claude-sonnet-4-5-20250929",)
    assert good == UpstreamCheck(name="good", kind="anthropic", base_url=url, models=models)
    assert good.to_dict() == {
        "name": "good",
        "kind": "anthropic",
        "base_url": url,
        "answers": True,
        "models": list(models),
        "problem": None,
    }
    assert not keyless.answers
    assert "Set NO_KEY in the environment" in keyless.problem
    assert (away.answers, away.models) == (False, None)
    assert "cannot be reached" in away.problem
    assert {(seen.headers["x-api-key"], seen.headers["anthropic-version"]) for seen in anthropic.seen} == {
        ("sk-1", "2023-06-01")
    }


def test_the_command_exits_1_where_one_does_not_answer(tmp_path, monkeypatch, capsys):
    """A line each, the reason below it; a name that is not there is a usage error; JSON for programs."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "models.yml").write_text(FILE.format(url="http://127.0.0.1:9"))
    monkeypatch.setenv("DAYBOOK_HOME", str(home))
    assert main(["providers", "check", "local", "away"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok  local        echo"
    assert lines[2] == "NO  away         openai     http://127.0.0.1:9/v1"
    assert "cannot be reached" in lines[3]
    assert main(["providers", "check", "local", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["local"]
    assert main(["providers", "check", "awy"]) == 2
    assert "No upstream is called 'awy'. Did you mean 'away'?" in capsys.readouterr().err
