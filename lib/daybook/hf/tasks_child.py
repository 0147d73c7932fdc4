"""The process that runs the tasks' models. Started by `providers.hf`, never imported.

Argument: the home. Says `{"ready": true}`, answers one line of JSON with one line of JSON, and ends with its stdin.
"""

import json
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes the pipe
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever libraries print is not an answer

    def tell(**what: object) -> None:
        line = json.dumps(what).encode() + b"\n"
        while line:
            line = line[out.write(line) :]

    # Whether the hub may be asked is read when this is imported, and the embedded models forbid it for themselves;
    # models that tasks.yml names by their revision are fetched unless whoever started Daybook forbids it.
    import huggingface_hub.constants  # noqa: F401 - imported for what it reads then

    from daybook.errors import DaybookError
    from daybook.hf import tasks

    tell(ready=True)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        try:
            tell(**tasks.run(asked["task"], asked["body"], home=Path(sys.argv[1])))
        except DaybookError as error:
            tell(error=type(error).__name__, message=error.message, remedy=error.remedy)
        except MemoryError:
            tell(error="Unavailable", message="The models' process is out of memory.", remedy="Send fewer texts.")
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the parent's log
            tell(error="Unavailable", message=f"The task failed ({type(error).__name__}).", remedy="See the log.")


if __name__ == "__main__":
    main()
