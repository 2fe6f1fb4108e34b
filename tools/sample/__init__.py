"""The generator of the synthetic ``sample`` suite: papers about nothing real, made from a seed.

``python -m tools.sample DIR`` writes the files of ``tasks/sample/data``.
"""
