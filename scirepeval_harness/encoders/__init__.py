"""Models as functions from documents and a role to vectors."""
