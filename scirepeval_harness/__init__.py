"""Evaluation of embedding models of scientific papers on SciRepEval and MDCR."""

__version__ = "0.1.0"
