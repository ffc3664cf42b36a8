"""What stands beside the control plane: the gateway and Prometheus."""
