"""``python -m spotlaunch.agent``."""

from __future__ import annotations

import os
import sys

if os.environ.get("SPOTLAUNCH_LIBRARY"):
    sys.path.insert(0, os.environ["SPOTLAUNCH_LIBRARY"])  # where the start has found obstore

from spotlaunch.agent.main import main

if __name__ == "__main__":
    main()
