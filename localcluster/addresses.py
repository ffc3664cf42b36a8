"""Where the parts of the cluster listen, inside the cluster's own network namespace.

Nothing here is reachable from outside: every cluster has the same addresses, each in a namespace
of its own. The forwarder opens three of them on the loopback address outside.
"""

CLUSTER_IP = "10.244.0.1"
"""The address of the bridge: control plane, node agent and addons listen on it."""

POD_NETWORK = "10.244.0.0/16"
"""The network of the bridge, from which every pod gets an address."""

SERVICE_NETWORK = "10.96.0.0/16"
"""The network of the cluster IPs; no proxy serves them."""

API_PORT = 6443
GATEWAY_PORT = 8080
PROMETHEUS_PORT = 9090
ENVOY_STATISTICS_PORT = 8002

API_SERVER = f"https://{CLUSTER_IP}:{API_PORT}"
PROMETHEUS_URL = f"http://{CLUSTER_IP}:{PROMETHEUS_PORT}"
