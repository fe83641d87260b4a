"""``python -m fsctl``."""

import os
import sys

# Python has put the working directory in front: a `tomllib.py` that lies there would be run.
# (What it has imported until here it has imported; `fsctl` itself, or `python -P`, never looks.)
if sys.path[0] == os.getcwd() and not sys.flags.safe_path:
    del sys.path[0]

from fsctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
