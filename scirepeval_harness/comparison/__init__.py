"""Two systems side by side: what differs, whether it is real, and whether it may pass."""
