"""What a run leaves behind: result files, their schema, and reading them back."""
