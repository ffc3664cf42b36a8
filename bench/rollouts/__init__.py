"""Many simulated rollouts at once, judged by the product's rule in arrays."""
