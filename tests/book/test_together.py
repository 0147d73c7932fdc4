"""An endpoint, notebook kernels and a flow use one DuckDB book at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "benchmarks" / "book.py"


@pytest.mark.slow
def test_no_row_is_lost_and_no_read_fails() -> None:
    """For eight seconds (`benchmarks/book.py soak --seconds 60` runs the minute) four processes append, drain and read
    one book as fast as they can: every process ends well, no read or drain fails, every read sees all that its own
    process had entered before and never fewer calls than the last one, and in the end every appended entry is there
    once."""
    done = subprocess.run(
        [sys.executable, str(SOAK), "soak", "--seconds", "8", "--json"],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = json.loads(done.stdout)
    endpoint, *kernels, flow = found["roles"].values()
    assert found["exit_codes"] == [0, 0, 0, 0]
    for role in (endpoint, *kernels, flow):
        assert (role["errors"], role["failed"], role["missed"]) == ([], 0, 0)
        assert role["reads"] >= 1
    assert found["wrong"] == []
    assert found["book"] == {
        "calls": endpoint["appended"],
        "ids": endpoint["appended"],
        "findings": sum(kernel["appended"] for kernel in kernels),
        "runs": flow["appended"] // 2,
        "completed": flow["appended"] // 2,
    }
