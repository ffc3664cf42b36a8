"""The ModelDeployment resource in Python: its spec, its status and its CRD."""
