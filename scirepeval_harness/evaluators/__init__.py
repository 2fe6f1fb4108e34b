"""One module a kind of evaluation: from a task's data and vectors to scores and items."""
