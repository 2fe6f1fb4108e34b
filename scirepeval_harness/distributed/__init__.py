"""Encoding and probes on a Ray cluster: the one package that imports ``ray``."""
