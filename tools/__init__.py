"""What builds and measures the project and no user runs: never in the wheel."""
