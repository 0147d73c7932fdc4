"""Copies that a provider has: the files that were uploaded for a hosted training on the person's data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import SettingsError
from daybook.rights.places.port import Announce, Holding, Person
from daybook.training.hosted import Hosted


class HostedFiles:
    """`client`: makes the provider's client; None where there is no key for one."""

    name = "hosted"

    def __init__(self, home: Path, client: Callable[[], Any] | None) -> None:
        self._folder = home / "finetune"
        self._client = client

    def holdings(self, person: Person) -> list[Holding]:
        n = sum(len(files) for _, files in self._jobs(person))
        return [Holding(place="hosted", what="files uploaded to a provider", count=n)] if n else []

    def erase(self, person: Person, announce: Announce) -> int:
        """Delete them there and here. Raises SettingsError without a key, ProviderError where they are not deleted."""
        count = 0
        for folder, files in self._jobs(person):
            if self._client is None:
                raise SettingsError(
                    f"{len(files)} files of {folder.name} lie at a provider, and there is no key to delete them with.",
                    remedy="Set OPENAI_API_KEY in the environment and go on.",
                )
            count += len(Hosted(folder, folder.name, self._client()).forget())
        return count

    def _jobs(self, person: Person) -> list[tuple[Path, list[str]]]:
        """Folder of each hosted training on the person's data → the ids of its uploaded files."""
        jobs = []
        for path in sorted(self._folder.glob("ft-*/hosted.json")):
            files = list((orjson.loads(path.read_bytes()).get("files") or {}).values())
            about = (path.parent / "job.json", *path.parent.glob("*.jsonl"))
            if files and any(person.search.in_file(file) for file in about if file.is_file()):
                jobs.append((path.parent, files))
        return jobs
