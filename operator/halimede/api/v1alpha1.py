"""The ModelDeployment resource, `halimede.dev/v1alpha1`."""

from typing import Any

from halimede.api.base import ApiModel, Timestamp
from halimede.api.spec import ModelDeploymentSpec
from halimede.api.status import Status

GROUP = "halimede.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
COMMAND_ANNOTATION = f"{GROUP}/command"
"""`<verb>[:<revision>]@<token>`: a manual command; each token is carried out once."""


ROUTE_FINALIZER = f"{GROUP}/route"
"""Keeps the object until the user's HTTPRoute is given back; there is no other finalizer."""


class Metadata(ApiModel):
    """What Halimede reads of an object's metadata."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    annotations: dict[str, str] = {}
    deletion_timestamp: Timestamp | None = None
    finalizers: tuple[str, ...] = ()


class ModelDeployment(ApiModel):
    """Which model to serve and how careful to be; Halimede answers in the status."""

    metadata: Metadata
    spec: ModelDeploymentSpec
    status: Status = Status()

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> "ModelDeployment":
        """Read an object as the API server sends it.

        Raises:
            pydantic.ValidationError: The object is older than the schema that is installed now.
        """
        return cls.model_validate(manifest)
