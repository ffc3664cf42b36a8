"""One reconcile: observe, decide, execute."""
