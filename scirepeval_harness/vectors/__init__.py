"""The vectors of texts: their keys, the store that keeps them, and what it lacks."""
