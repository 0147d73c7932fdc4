"""The models of `<home>/tasks.yml`: Hugging Face's by their id and revision, or folders of this machine, by a name.

    reviews: {task: sentiment, model: distilbert/distilbert-base-uncased-finetuned-sst-2-english, revision: 714eb0f…}
    digest:  {task: summarize, model: /models/t5-small}

A model of the hub needs its revision, the 40 digits of a commit: a branch can change under whoever uses it.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from daybook.errors import SettingsError

TASKS = ("sentiment", "classify", "summarize", "embed")


def named_models(home: Path) -> dict[str, dict[str, str]]:
    """The models of `<home>/tasks.yml` by name; {} where there is no such file. Raises SettingsError."""
    path = home / "tasks.yml"
    try:
        payload = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {str(error)[:200]}.", remedy="Correct it.") from None
    for name, asked in payload.items() if isinstance(payload, dict) else [("it", None)]:
        if not isinstance(asked, dict) or asked.get("task") not in TASKS or not isinstance(asked.get("model"), str):
            raise SettingsError(
                f"{path}: {name} is not a task's model.", remedy=f"Say task ({', '.join(TASKS)}) and model."
            )
        pinned = re.fullmatch(r"[0-9a-f]{40}", str(asked.get("revision", "")))
        if not pinned and not Path(asked["model"]).is_dir():
            raise SettingsError(
                f"{path}: {name} has no pinned revision.",
                remedy="Say revision: the 40 digits of a commit on the hub; a branch can change under you.",
            )
    return {str(name): {k: str(v) for k, v in asked.items()} for name, asked in payload.items()}
