"""Simulate many rollouts at once, with the product's rule on arrays."""
