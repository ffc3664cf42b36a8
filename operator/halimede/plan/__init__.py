"""Compute what one reconcile writes, from the observed state of the cluster. Pure."""
