"""What is evaluated: tasks and suites as data, their registry, and reading their data."""
