"""How the frames of a fine-tuning are shown."""

from __future__ import annotations

from daybook.reporting.result import Table
from daybook.reporting.tables import Column

TABLES = {
    "gates": Table(
        "Gates before training",
        (
            Column("gate", "gate"),
            Column("state", "state"),
            Column("found", "found", "count"),
            Column("of", "of", "count"),
            Column("message", "what was found"),
        ),
    ),
    "compared": Table(
        "The same held-out rows, before and after",
        (
            Column("measure", "measure"),
            Column("model", "model"),
            Column("value", "value", "unit", "low", "high"),
            Column("n", "rows", "count"),
            Column("p", "p", "p"),
            Column("verdict", "verdict"),
        ),
    ),
    "versions": Table(
        "Versions of this model",
        (
            Column("version", "version"),
            Column("method", "method"),
            Column("registered", "registered", "time"),
            Column("measure", "held-out"),
            Column("aliases", "aliases"),
            Column("digest", "weights"),
        ),
    ),
}
