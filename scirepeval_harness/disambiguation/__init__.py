"""Author disambiguation from embeddings alone: clusters of signatures and their B-cubed scores."""
