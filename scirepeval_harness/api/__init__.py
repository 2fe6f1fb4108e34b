"""What the package offers to Python, and to its own command line: each command is one call."""
