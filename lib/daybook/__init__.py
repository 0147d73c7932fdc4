"""LLM operations, written up every day.

import daybook
book = daybook.open()
book.ask("What is a ledger?")
"""

from daybook.workbench import Answer, Workbench, open

__all__ = ["Answer", "Workbench", "open"]
