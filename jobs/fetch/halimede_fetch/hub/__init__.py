"""Models from the Hugging Face hub, or from a mirror of it."""
