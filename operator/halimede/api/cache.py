"""`spec.model.supply.cache`: where the model's files are kept for all pods."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.rules import DNS_SUBDOMAIN, rule, rules


class CacheKind(StrEnum):
    """The kinds of caches."""

    NONE = "None"
    """Each pod fetches the files."""
    VOLUME = "Volume"
    """A Job fetches the files once, to a volume that the pods read."""


class CacheVolume(ApiModel):
    """The volume of a cache."""

    claim_name: Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
    """PersistentVolumeClaim in the namespace of the ModelDeployment, which you create. All nodes
    with pods of the model must be able to mount it: `ReadWriteMany`, or `ReadWriteOnce` if they
    all run on one node. Several ModelDeployments can share it."""


class Cache(ApiModel):
    """Where the model's files are kept for all pods."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.kind) || self.kind != 'Volume' || has(self.volume)",
                "kind Volume requires volume.claimName: name a PersistentVolumeClaim that pods can"
                " write to, or set kind to None",
                ".volume",
            )
        )
    )

    kind: CacheKind = CacheKind.NONE
    """`None`: each pod fetches the files. `Volume`: a Job fetches them once, to a volume that the
    pods read."""
    volume: CacheVolume | None = None
    """The volume; only for the kind `Volume`."""
