"""Reads one request to prepare a training from stdin, prepares it, and writes what came of it to stdout, as JSON.

Started by the endpoint, so that whatever reading and counting takes (a tokenizer, the rows) is not in its process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import DaybookError


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever libraries print is not the answer
    asked = orjson.loads(sys.stdin.buffer.read())
    try:
        reply = _prepared(asked)
    except DaybookError as error:
        reply = {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}
    except (OSError, ValueError, TypeError) as error:
        reply = {"error": "BadData", "message": f"{type(error).__name__}: {error}"[:500], "remedy": "Mend the request."}
    out.write(orjson.dumps(reply, default=str))
    out.close()


def _prepared(asked: dict[str, Any]) -> dict[str, Any]:
    from daybook.book import Book
    from daybook.finetune.tuner import Tuner, prepare
    from daybook.training.data.examples import Template
    from daybook.training.recipe import Recipe

    home = Path(asked["home"])
    with Book(asked["book_url"], home, vault=Path(asked["vault"])) as book:
        plan = prepare(
            home,
            asked["data"],
            Recipe.of({"method": asked["method"], **asked["recipe"]}),
            against=asked["against"],
            licence=asked["licence"],
            template=Template(**asked["template"]),
            columns=asked["columns"] or None,
            policies=asked["policies"],
            book=book,
        )
        payload = plan.to_dict() | {"id": None, "source": asked["shown"]}
        if plan.checked.met:
            tuner = Tuner(home, book)
            payload["id"] = tuner.start(plan, name=asked["name"], actor=asked["actor"], promote=asked["promote"]).id
    return payload


if __name__ == "__main__":
    main()
