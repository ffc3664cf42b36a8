"""A dry-run client for the API server."""

import json
from collections.abc import Callable

import pytest
from kubernetes import config
from kubernetes.client import ApiException, CustomObjectsApi

from halimede.api.base import Manifest
from halimede.api.v1alpha1 import GROUP, PLURAL, VERSION
from localcluster.cluster import Cluster

Rejection = Callable[[Manifest], str]


@pytest.fixture(scope="session")
def rejection(api_server: Cluster) -> Rejection:
    """Return a function that dry-runs an object and returns the API server's error, or ""."""
    client = config.new_client_from_config(str(api_server.kubeconfig))
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
