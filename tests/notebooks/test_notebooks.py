"""The notebooks as they are committed: well-shaped, and right again when they are run."""

import os
import re
import subprocess
import sys
from inspect import cleandoc
from pathlib import Path

import pytest
import yaml

from daybook.cli.run import run
from daybook.press.notebook import rules

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORDS = [path.stem for path in NOTEBOOKS]
WITH_WEIGHTS = {"approach", "bias"}
"""Notebooks that need the embedded model's plain weights."""
UPKEEP = ["backup", "retention"]
"""Flows that make no report."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=WORDS)
def test_a_notebook_keeps_the_rules(path):
    """Ten cells, typed parameters, no logic, executed in order, findings entered, one contract."""
    assert rules.check(path) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=WORDS)
def test_a_notebook_runs_again_to_the_same_figures(path, request):
    """nbval: every cell runs with the defaults, and the checked cell prints what is committed."""
    home = request.getfixturevalue("used_home" if path.stem in WITH_WEIGHTS else "home")
    env = os.environ | {"DAYBOOK_HOME": str(home), "JUPYTER_PLATFORM_DIRS": "1"}
    env.pop("DAYBOOK_BOOK", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-current-env", "-p", "no:xdist", str(path)],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_notebook_has_a_flow_and_a_deployment_of_its_name():
    """One word per subject: notebooks/x.ipynb, flows/x.py, x in prefect.yaml, with cron, timezone and CANCEL_NEW."""
    deployments = {one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
    assert (
        sorted(deployments) == sorted([*WORDS, *UPKEEP]) == sorted(path.stem for path in (ROOT / "flows").glob("*.py"))
    )
    for word, one in deployments.items():
        assert one["entrypoint"] == f"flows/{word}.py:{word}"
        assert one["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert all(schedule["cron"] and schedule["timezone"] for schedule in one["schedules"])


def test_the_readme_and_the_help_list_every_notebook():
    """notebooks/README.md names each with its question, `daybook run --help` by its name."""
    text = (ROOT / "notebooks" / "README.md").read_text()
    assert [word for word in WORDS if f"| `{word}` |" not in text] == []
    listed = re.search(r"in notebooks/:([^.]*)\.", cleandoc(run.help or ""))
    assert listed
    assert sorted(re.findall(r"\w+", listed[1])) == WORDS
