"""The checks that move a rollout on, hold it, or stop it."""
