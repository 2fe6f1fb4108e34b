"""Supervised probes: the linear models whose scores stand for an embedding's quality.

``fit`` is the way in; ``reference`` is scikit-learn as the protocol names it, the other modules
solve the same problems together and faster.
"""
