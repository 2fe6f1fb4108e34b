"""How a task is scored: one module a kind of evaluation."""
