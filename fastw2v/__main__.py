"""``python -m fastw2v`` is the command ``fastw2v``."""

import sys

from .cli import main

sys.exit(main())
