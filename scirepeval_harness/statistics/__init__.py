"""Intervals and tests over items."""
