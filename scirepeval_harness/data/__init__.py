"""Documents and labels of a task, from the hub, a local folder or the packaged sample."""
