"""Intervals and paired tests over items."""
