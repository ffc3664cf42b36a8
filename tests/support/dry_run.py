"""Dry runs of ModelDeployments on a real API server."""

import json
from collections.abc import Callable

from kubernetes import config
from kubernetes.client import ApiException, CustomObjectsApi

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP, PLURAL, VERSION
from localcluster.cluster import Cluster

Rejection = Callable[[Manifest], str]
"""Returns the API server's error for a new object, or an empty text."""


def connect(cluster: Cluster) -> Rejection:
    """Return a function that asks whether an object would be accepted."""
    client = config.new_client_from_config(str(cluster.kubeconfig))
    objects = CustomObjectsApi(client)

    def ask(manifest: Manifest) -> str:
        try:
            objects.create_namespaced_custom_object(
                GROUP,
                VERSION,
                manifest["metadata"]["namespace"],
                PLURAL,
                manifest,
                dry_run="All",
                field_validation="Strict",  # as kubectl asks for
            )
        except ApiException as error:
            return str(json.loads(error.body)["message"])
        return ""

    return ask
