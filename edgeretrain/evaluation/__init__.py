"""What model files make of held-out photos: figures, each with its interval."""
