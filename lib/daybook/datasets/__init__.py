"""Rows to evaluate, to train on and to look at: one way in, and a digest that says exactly which they are.

    load("reviews.jsonl")                              columns by their usual names, or columns={"input": "q"}
    load("hf:owner/name@<40 digits>#test")             the Hub, at a commit; hf:/folder#test for a clone of it
    load("book:days=30", book=book)                    calls of the book, where their content was kept
    load("builtin:requests")                           what the project wrote itself

It knows what a row is. It does not know what a row is used for: a task says that (`evaluation.ask.tasks`).
"""

from daybook.datasets.load import load
from daybook.datasets.rows import DataSet, Row

__all__ = ["DataSet", "Row", "load"]
