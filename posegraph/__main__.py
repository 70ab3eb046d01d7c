"""``python -m posegraph``."""

import sys

from posegraph.cli import main

sys.exit(main())
