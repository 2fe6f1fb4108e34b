"""S2AND's own experiment, run by its package in an environment of its own."""
