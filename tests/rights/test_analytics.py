"""Figures about nobody: where a band begins and ends, how a number is rounded, and what is printed."""

from datetime import UTC, datetime

from daybook.book import Book
from daybook.clock import new_id
from daybook.records import Call
from daybook.rights.analytics import anonymised, to_dict


def test_bands_and_rounding(tmp_path):
    """Five persons with each number of calls at the ends of the bands: persons in fives, calls to two digits. Calls
    that failed, and those of nobody, are not counted."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    with Book(f"duckdb:///{tmp_path}/book.duckdb", tmp_path) as book:
        for n in (1, 2, 5, 6, 20, 21, 100, 101):
            for person in range(5):
                for _ in range(n):
                    book.append(Call(id=new_id(), request_id="r", at=at, endpoint="x", requested_model="m", status="ok",
                                     served_model="m", subject=f"u-{n}-{person}"))  # fmt: skip
        for subject, status, model in ((None, "ok", "m"), ("u-x", "error", "m")):
            book.append(Call(id=new_id(), request_id="r", at=at, endpoint="x", requested_model="m", status=status,
                             served_model=model, subject=subject))  # fmt: skip
        printed = to_dict(anonymised(book, k=5))
    cells = {"1 call": (5, 5), "2 to 5 calls": (10, 35), "21 to 100 calls": (10, 610), "6 to 20 calls": (10, 130),
             "more than 100 calls": (5, 510)}  # fmt: skip
    assert printed == {
        "k": 5,
        "suppressed_cells": 0,
        "cells": [
            {"month": "2026-03", "model": "m", "band": band, "persons": persons, "calls": calls}
            for band, (persons, calls) in cells.items()
        ],
    }
