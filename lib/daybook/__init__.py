"""LLM operations, written up every day.

import daybook
book = daybook.open()
book.ask("How many days are in a week?")
"""

from daybook.inference.client.answer import Answer
from daybook.workbench import Daybook, open

__all__ = ["Answer", "Daybook", "open"]
