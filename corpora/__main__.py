"""The command line: ``python -m corpora``."""

import sys

from .cli import main

sys.exit(main())
