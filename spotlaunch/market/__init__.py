"""Asks the providers for offers, side by side."""
