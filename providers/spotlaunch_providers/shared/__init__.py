"""The kit that adapters share: HTTP reads within a deadline, calls side by side, words without secrets."""
