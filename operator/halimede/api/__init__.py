"""The ModelDeployment resource as Python: what users write, and what Halimede answers."""
