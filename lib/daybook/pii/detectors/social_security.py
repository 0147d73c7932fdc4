"""The numbers of the United States' social security and of its taxpayers without one, written with hyphens."""

from __future__ import annotations

import re

from stdnum.us import itin, ssn

from daybook.pii.shapes import Pattern, contains, passing

SSN = Pattern("ssn", re.compile(r"\d{3}(?<![\w.-]...)-\d{2}-\d{4}(?![\w]|-\d)"), passing(ssn.is_valid), contains("-"))
ITIN = Pattern(
    "itin", re.compile(r"9\d{2}(?<![\w.-]...)-\d{2}-\d{4}(?![\w]|-\d)"), passing(itin.is_valid), contains("-")
)
