"""Run a checkpointing GPU job on the cheapest capacity there is, and carry on when a machine is taken away."""

__version__ = "0.1.0"
