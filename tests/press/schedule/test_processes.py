"""Parts are started and stopped for certain."""

import os
import signal
import subprocess
import sys

from daybook.press.schedule.processes import Processes, held_back


def test_a_signal_that_comes_in_the_middle_of_a_start_is_obeyed_afterwards():
    """Held back while the process forks, heard as soon as it has."""
    heard = []
    kept = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with held_back():
            os.kill(os.getpid(), signal.SIGINT)
            during = list(heard)
        assert (during, heard) == ([], [signal.SIGINT])
    finally:
        signal.signal(signal.SIGINT, kept)


def test_a_part_hears_signals_and_is_gone_when_the_job_is_left(tmp_path):
    """The new process blocks no signal; leaving the job ends it."""
    code = "import signal, time; print(signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True); time.sleep(600)"
    with Processes(tmp_path / "logs") as parts:
        part = parts.start("sleeper", [sys.executable, "-c", code], env=dict(os.environ))
        parts.wait(part, lambda: "\n" in part.log.read_text(), seconds=60)
    assert part.log.read_text() == "set()\n"
    assert part.process.returncode == -signal.SIGTERM


def test_a_signal_that_the_interpreter_dropped_is_sent_again():
    """A Ctrl-C that comes while a weak reference's callback runs, where Python ignores what is raised, ends the job."""
    code = """
import signal, weakref
from daybook.press.schedule.processes import interruptible
class Thing: pass
interruptible()
thing = Thing()
gone = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
try:
    del thing
    print("dropped", flush=True)
    signal.pause()
    signal.pause()
except KeyboardInterrupt:
    print("obeyed")
"""
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == ("dropped\nobeyed\n", "")
