"""short_of_memory.py HOME: ask torch and numpy for more than the process may address; print what came of each."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import psutil
import torch

from daybook.errors import DaybookError
from daybook.training import resources


def main(home: Path) -> None:
    bound = psutil.Process().memory_info().vms + 100_000_000
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    for wanted in (lambda: torch.zeros(10**9), lambda: np.zeros(10**9)):
        try:
            with resources.explained(lambda: "at step 3 of 9", home, memory="Halve it.", room=""):
                wanted()
        except DaybookError as error:
            sys.stdout.write(f"{error}\n")


main(Path(sys.argv[1]))
