"""Rendering: a ModelDeployment in, Kubernetes manifests out. Pure."""
