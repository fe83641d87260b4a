"""``python -m fsctl``."""

import sys

from fsctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
