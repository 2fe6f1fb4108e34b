"""Encoding each text once: the plan, the batches, and the store of vectors."""
