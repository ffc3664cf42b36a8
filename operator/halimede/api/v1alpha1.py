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
COMMANDER_ANNOTATION = f"{GROUP}/command-by"
"""`<verb>[:<revision>]@<token>`: a manual command; each token is executed once."""


ROUTE_FINALIZER = f"{GROUP}/route"
"""Keeps the object until the user's HTTPRoute is restored; there is no other finalizer."""


class Metadata(ApiModel):
    """The part of an object's metadata that Halimede reads."""

    name: str
    namespace: str
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    annotations: dict[str, str] = {}
    deletion_timestamp: Timestamp | None = None
    finalizers: tuple[str, ...] = ()


class ModelDeployment(ApiModel):
    """A model to serve and how to roll it out; the status is written by Halimede."""

    metadata: Metadata
    spec: ModelDeploymentSpec
    status: Status = Status()

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> "ModelDeployment":
        """Parse an object as the API server returns it.

        Raises:
            pydantic.ValidationError: The object does not match the schema, as it is older.
        """
        return cls.model_validate(manifest)
