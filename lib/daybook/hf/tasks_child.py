"""The process that runs the tasks' models, as `line_process` serves. Started by `providers.hf`, never imported.

Argument: the home.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daybook.line_process import serve


def load() -> Callable[[Any], Mapping[str, Any]]:
    # Whether the hub may be asked is read when this is imported, and the embedded models forbid it for themselves;
    # models that tasks.yml names by their revision are fetched unless whoever started Daybook forbids it.
    import huggingface_hub.constants  # noqa: F401 - imported for what it reads then

    from daybook.hf import tasks

    return lambda question: tasks.run(question["task"], question["body"], home=Path(sys.argv[1]))


if __name__ == "__main__":
    serve(load)
