"""One run, in a process of its own: `python -m daybook.press.execution.execute`. The only papermill call.

The first line on stdin says what to run (JSON, see `Spec`); stdin then stays open, and its end means
that the press is gone: the run ends too. On stdout goes one JSON object a line: a cell started, and
last the outcome. That outcome, not what the file says, is the run's status: papermill calls a
notebook completed whose kernel died. Every save goes through the scrubber, so no unscrubbed notebook
ever reaches the disk; and what a cell may print is capped.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from daybook import atomic
from daybook.press.execution import output_limits, terminate
from daybook.press.notebook import notebooks
from daybook.press.scrub import Scrubber

SCHEME = "scrubbed:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What to run. Travels over a pipe only: parameters may hold secrets."""

    run_id: str
    notebook: dict[str, Any]
    """The notebook itself, so that what was checked is what runs."""
    output: str
    kernel: str
    parameters: dict[str, Any]
    cwd: str
    log: str
    secrets: list[str]


class Stopped(BaseException):
    """TERM came: save what there is and end."""


def main() -> int:
    say = _channel()
    spec = Spec(**json.loads(sys.stdin.readline()))
    _redirect(spec.log)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_press, args=(sys.stdin, spec.run_id), daemon=True).start()
    outcome = execute(spec, say)
    say(outcome)
    return 0 if outcome["state"] == "completed" else 1


def execute(spec: Spec, say: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """Run the notebook; returns the outcome: `state`, and where it is not `completed`, what and where."""
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import papermill_io

    papermill_io.register(SCHEME, ScrubbedFile(Scrubber(spec.secrets)))
    engine = _engine(say)
    try:
        done = papermill.execute_notebook(
            notebooks.parse(json.dumps(spec.notebook)),
            SCHEME + spec.output.replace("{", "{{").replace("}", "}}"),  # papermill formats paths
            parameters=spec.parameters,
            engine_name=engine,
            kernel_name=spec.kernel,
            language="python",
            progress_bar=False,
            cwd=spec.cwd,
            autosave_cell_every=10,
        )
    except PapermillExecutionError as error:
        return _raised(error)
    except DeadKernelError as error:
        return {"state": "failed", "kind": "kernel", "error": str(error)}
    except NoSuchKernel as error:
        return {"state": "failed", "kind": "no kernel", "error": str(error)}
    except Stopped:
        return {"state": "failed", "kind": "stopped", "error": "It was told to stop."}
    except Exception as error:
        return {"state": "failed", "kind": "runner", "error": f"{type(error).__name__}: {error}"}
    for n, cell in enumerate(_code(done.cells), start=1):
        if cell["source"].strip() and cell.get("execution_count") is None:
            return {"state": "failed", "kind": "exit", "error": f"It ended itself before code cell {n}."}
    return {"state": "completed"}


def _raised(error: Any) -> dict[str, Any]:
    last = (error.evalue or "").strip()
    text = f"{error.ename}: {last}" if last else str(error.ename)
    return {
        "state": "failed",
        "kind": "raised",
        "error": text,
        "execution_count": error.exec_count,
    }


def _code(cells: Any) -> list[Any]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _engine(say: Callable[[Mapping[str, Any]], None]) -> str:
    """Papermill's engine with capped outputs, a Unix socket instead of TCP, and progress."""
    from nbclient.exceptions import DeadKernelError
    from nbformat import NotebookNode
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from traitlets.config import Config

    class Client(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
        def execute_cell(self, cell: Any, cell_index: int, **more: Any) -> Any:
            self.cap = output_limits.Cap()
            if cell["cell_type"] == "code":
                say({"cell": 1 + len(_code(self.nb.cells[:cell_index])), "of": len(_code(self.nb.cells))})
            try:
                return super().execute_cell(cell, cell_index, **more)
            except DeadKernelError as error:
                raise DeadKernelError(_death(self.km)) from error
            finally:
                if note := self.cap.note():
                    denied = NotebookNode(output_type="stream", name="stderr", text=note)  # type: ignore[no-untyped-call]  # has no types
                    cell.outputs.append(denied)

        def output(self, outs: list[Any], msg: dict[str, Any], display_id: Any, cell_index: int) -> Any:
            if not self.cap.admits(outs, msg):
                return None
            out = super().output(outs, msg, display_id, cell_index)
            output_limits.join(outs)
            return out

        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            return super().process_message(output_limits.cut(msg), cell, cell_index)

    class Engine(NBClientEngine):  # type: ignore[misc]  # papermill has no types
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **more: Any) -> Any:
            sockets = os.environ.get("JUPYTER_RUNTIME_DIR", "")
            transport = "ipc" if len(sockets) < 48 else "tcp"  # a Unix socket's path holds 107 bytes
            # Jupyter names the sockets after this file; unnamed, all kernels in one folder would share theirs
            kernel = {"transport": transport, "connection_file": str(Path(sockets) / "kernel.json")}
            return Client(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=more.get("start_timeout", 60),
                iopub_timeout=60,
                store_widget_state=False,
                config=Config({"KernelManager": kernel}),
            ).execute()

    papermill_engines.register("daybook", Engine)
    return "daybook"


def _death(manager: Any) -> str:
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    code = process.poll() if process is not None else None
    if code is None:
        return "The kernel died."
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (often: out of memory)" if name == "SIGKILL" else ""
        return f"The kernel was ended by {name}{hint}."
    return f"The kernel ended with exit code {code}."


class ScrubbedFile:
    """Where papermill saves to: scrubbed, whole or not at all, readable by us alone."""

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber

    def write(self, text: str, path: str) -> None:
        clean = notebooks.text_of(self.scrubber.notebook(notebooks.parse(text)))
        atomic.replace(Path(path.removeprefix(SCHEME)), clean.encode())

    def pretty_path(self, path: str) -> str:
        return path


def _channel() -> Callable[[Mapping[str, Any]], None]:
    """A writer to the real stdout, which nothing that we start inherits."""
    out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def say(fact: Mapping[str, Any]) -> None:
        out.write(json.dumps(fact) + "\n")
        out.flush()

    return say


def _redirect(log: str) -> None:
    """Whatever else is written to stdout or stderr goes to a log beside the run."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)


def _stop(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _end_with_press(stdin: TextIO, run_id: str) -> None:
    stdin.read()
    terminate.end(run_id)
    os._exit(3)


if __name__ == "__main__":
    sys.exit(main())
