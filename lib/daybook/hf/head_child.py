"""The process that runs a classifying head, as `line_process` serves. Never imported.

Arguments: the head's folder and the home.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from daybook.line_process import serve


def load() -> Callable[[Any], Mapping[str, Any]]:
    from daybook.hf import embeddings
    from daybook.hf.head import load

    head = load(Path(sys.argv[1]), cache=Path(sys.argv[2]) / "embeddings.sqlite")
    _, tokenizer = embeddings.loaded(head.encoder)
    head.predict([""])

    def classify(question: Any) -> Mapping[str, Any]:
        text = question["text"]
        chances = head.probabilities([text])[0]
        best = int(chances.argmax())
        tokens = min(len(tokenizer(text)["input_ids"]), embeddings.LENGTH)
        return {"label": head.classes[best], "probability": float(chances[best]), "tokens": tokens}

    return classify


if __name__ == "__main__":
    serve(load)
