"""``python -m scirepeval_harness``."""

from scirepeval_harness.cli.main import main

main()
