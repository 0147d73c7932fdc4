"""`python -m daybook.cli`."""

import sys

from daybook.cli import main

sys.exit(main())
