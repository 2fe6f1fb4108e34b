"""S2AND's own experiment, run by the package `s2and` in an environment of its own."""
