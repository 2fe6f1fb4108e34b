"""Linear probes: the problem, scikit-learn's answer and the fast one."""
