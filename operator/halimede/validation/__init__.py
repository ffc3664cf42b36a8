"""Validation of a spec beyond its schema and CEL rules."""
