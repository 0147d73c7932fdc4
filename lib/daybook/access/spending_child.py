"""The process that sums what the book says was spent, as `line_process` serves. Never imported.

Questions: `home`, `book_url`, `vault`, `patience`, `asked`: pairs of a scope and a moment.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from daybook.line_process import serve


def load() -> Callable[[Any], Mapping[str, Any]]:
    from daybook.access.spending import sum_since
    from daybook.book import Book

    def spent(question: Any) -> Mapping[str, Any]:
        url, home, patience = question["book_url"], Path(question["home"]), question["patience"]
        asked = [(scope, datetime.fromisoformat(start)) for scope, start in question["asked"]]
        with closing(Book(url, home, vault=Path(question["vault"]), patience=patience)) as book:
            return {"spent": [f"{amount:f}" for amount in sum_since(book, asked)]}

    return spent


if __name__ == "__main__":
    serve(load)
