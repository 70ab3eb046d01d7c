"""``python -m posegraph``."""

import sys

from posegraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
