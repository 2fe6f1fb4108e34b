"""The generator of the synthetic ``sample`` suite: papers about nothing real, made from a seed.

``python -m scirepeval_harness.sample DIR`` writes the files of ``tasks/sample/data``.
"""
