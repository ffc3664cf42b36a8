"""What one pass does: from what was observed to a plan of writes. Pure."""
