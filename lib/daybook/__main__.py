"""`python -m daybook`: the command line, for processes that start others with their own interpreter."""

import sys

from daybook.cli import main

sys.exit(main())
