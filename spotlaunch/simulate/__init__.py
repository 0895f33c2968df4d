"""Replays of availability traces through the very policies that run real jobs."""
