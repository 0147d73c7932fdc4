"""The process that runs a classifying head. Started by `providers.head`, never imported.

Arguments: the head's folder and the home. Says `{"ready": true}` once it is loaded, then answers line by line, and ends
with its stdin.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever libraries print is for nobody

    def tell(**what: object) -> None:
        out.write(json.dumps(what).encode() + b"\n")

    try:
        from daybook.hf import embeddings
        from daybook.hf import head as heads

        head = heads.load(Path(sys.argv[1]), cache=Path(sys.argv[2]) / "embeddings.sqlite")
        _, tokenizer = embeddings.loaded(head.encoder)
        head.predict([""])
    except Exception as error:
        tell(error=f"{type(error).__name__}: {error}"[:500])
        return
    tell(ready=True)
    for line in sys.stdin.buffer:
        text = json.loads(line)["text"]
        try:
            chances = head.probabilities([text])[0]
            best = int(chances.argmax())
            tokens = min(len(tokenizer(text)["input_ids"]), embeddings.LENGTH)
            tell(label=head.classes[best], probability=float(chances[best]), tokens=tokens)
        except Exception as error:
            tell(error=f"{type(error).__name__}: {error}"[:500])


if __name__ == "__main__":
    main()
