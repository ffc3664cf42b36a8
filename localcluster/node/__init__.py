"""The process node: a node agent that runs pods as processes in Linux namespaces.

`python -m localcluster.node` registers a Node, watches the pods bound to it and runs them:
`agent` gives each pod to a `pod.PodRunner`, that each container to a `container.ContainerRunner`,
which has the `sandbox` start the program and `health` probe it. `status`, `thresholds`, `backoff`
and `environment` are pure and follow the kubelet's rules.

It is no container runtime. There are no images (`images` maps names to commands of this machine),
no cgroups (limits are not enforced, and more CPUs are reported than there are), no Service
proxy and no DNS, and one user id: everything runs as the user who started the cluster, whatever
runAsUser, runAsGroup and fsGroup are. It is no security boundary either: programs of the host are
visible read-only, the virtual environment at /opt/halimede as in the container images, and root is
root over the cluster's own namespaces unless it drops `ALL`.

Rejected, with the reason in the container's waiting message: gRPC probes, postStart hooks,
sidecars, block devices, a shared process namespace, volumes other than configMap, secret,
downwardAPI, projected, emptyDir, hostPath and claims of hostPath or local volumes. A container
that restarts finds the present content of volumes of ConfigMaps and Secrets; other changes of them
while a pod runs are ignored, and so are resources, runtime classes, ephemeral containers. `kubectl
logs` works; exec, attach, cp and port-forward do not. An agent adopts no pods: they end with the
agent that started them, and the next agent starts them again.
"""
