"""The process node: a node agent that runs pods as processes in Linux namespaces.

It is no container runtime. There are no images (a small table maps image names to commands of
this machine), no cgroups (resource limits are not enforced), and one user id (everything runs as
the user who started the cluster, whatever ``runAsUser`` says).
"""
