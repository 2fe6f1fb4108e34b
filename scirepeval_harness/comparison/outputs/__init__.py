"""What a gate writes, one module a form."""
