"""The addons beside the control plane: the gateway and Prometheus."""
