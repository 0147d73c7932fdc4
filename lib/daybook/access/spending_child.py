"""The process that sums what the book says was spent, as `line_process` serves. Never imported.

Questions: `home`, `book_url`, `vault`, `scope`, `start`, `patience`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from daybook.line_process import serve


def load() -> Callable[[Any], Mapping[str, Any]]:
    from daybook.access.spending import Spending
    from daybook.book import Book

    def spent(question: Any) -> Mapping[str, Any]:
        url, home, patience = question["book_url"], Path(question["home"]), question["patience"]
        vault = Path(question["vault"])
        since = Spending(lambda: Book(url, home, vault=vault, patience=patience)).since
        return {"spent": f"{since(question['scope'], datetime.fromisoformat(question['start'])):f}"}

    return spent


if __name__ == "__main__":
    serve(load)
