"""Which commands a rollout accepts now, and why it rejects the others."""
