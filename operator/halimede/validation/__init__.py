"""What is wrong with a spec that its schema and CEL rules let through."""
