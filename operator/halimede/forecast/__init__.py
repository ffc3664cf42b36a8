"""How long a rollout would take, and what it would detect: simulated with the real judge."""
