"""What is evaluated and with what: tasks, suites and models as validated data."""
