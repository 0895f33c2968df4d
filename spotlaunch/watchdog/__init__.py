"""The loop: observe, decide, write, act, sleep. And the lease that lets one watchdog be awake."""
