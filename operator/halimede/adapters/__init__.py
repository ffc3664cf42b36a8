"""Adapters for external systems, each of which hides a library and raises only our errors."""
