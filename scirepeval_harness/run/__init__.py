"""One run: models times tasks, each task's failure kept to itself."""
