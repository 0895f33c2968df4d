"""``python -m spotlaunch.agent``."""

from __future__ import annotations

from spotlaunch.agent.main import main

if __name__ == "__main__":
    main()
