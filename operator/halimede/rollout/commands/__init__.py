"""Which commands a rollout takes now, and why not the others."""
