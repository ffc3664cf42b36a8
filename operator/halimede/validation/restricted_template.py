"""What a `podTemplate` may contain where the operator has the policy `Restricted` or `None`.

`Restricted` is an allow-list, so that a field which a later version of Kubernetes adds is
rejected. What is in it gives a pod no rights on its node, in the cluster or to Secrets, and
changes neither what the fetcher verifies nor what Triton reads of it. The admission policy in
`charts/halimede/templates/policy_specs.yaml` has the same lists; tests compare both on the API
server.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from halimede.api.base import Manifest
from halimede.render.field_types import Rejection
from halimede.render.spec_policy import PodTemplatePolicy

Fields = Mapping[str, "Fields | None"]
"""The allowed fields by name, with those of their maps or of their lists' items; None: any."""

PROBE: Fields = {
    "exec": {"command": None},
    "failureThreshold": None,
    "grpc": {"port": None, "service": None},
    # No host: the kubelet would send requests to it from the network of the node.
    "httpGet": {"httpHeaders": None, "path": None, "port": None, "scheme": None},
    "initialDelaySeconds": None,
    "periodSeconds": None,
    "successThreshold": None,
    "tcpSocket": {"port": None},
    "terminationGracePeriodSeconds": None,
    "timeoutSeconds": None,
}
RESOURCES: Fields = {"limits": None, "requests": None}
TRITON: Fields = {
    "name": None,
    "env": {
        "name": None,
        "value": None,
        # No secretKeyRef: the model is code, so it would read any Secret of the namespace. A
        # ConfigMap can be read by `configMap://` as well.
        "valueFrom": {"configMapKeyRef": None, "fieldRef": None, "resourceFieldRef": None},
    },
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "resources": RESOURCES,
    "startupProbe": PROBE,
    "volumeMounts": {"mountPath": None, "name": None, "readOnly": None, "subPath": None},
}
"""The fields of the container `triton`; its image and arguments have fields of the spec."""
FETCH: Fields = {"name": None, "resources": RESOURCES}
"""The fields of the init container `fetch`. It has no environment: `PYTHONPATH` and a file would
replace the code that verifies the digest."""
VOLUME: Fields = {
    "name": None,
    "configMap": {"defaultMode": None, "items": None, "name": None, "optional": None},
    "downwardAPI": {"defaultMode": None, "items": None},
    "emptyDir": {"medium": None, "sizeLimit": None},
    "persistentVolumeClaim": {"claimName": None, "readOnly": None},
}
"""The kinds of volumes. No hostPath, csi or nfs: they lead to the node or to storage without an
owner in the namespace. No secret, and no projected, which contains Secrets and tokens."""
FETCHERS_VOLUMES = frozenset({"config", "source", "source-credentials", "halimede-cache"})
"""The volumes that only the fetcher reads, and the one with what it has verified."""
OWN_VOLUME = frozenset({"name", "emptyDir"})
"""The fields of the volumes `model`, `tmp` and `shm`."""
TEMPLATE: Fields = {
    "metadata": {"annotations": None, "labels": None},
    "spec": {
        "affinity": None,
        "containers": TRITON,
        # The kubelet uses them, for images that match their hosts; the pod cannot read them.
        "imagePullSecrets": None,
        "initContainers": FETCH,
        "nodeSelector": None,
        "priorityClassName": None,
        "terminationGracePeriodSeconds": None,
        "tolerations": None,
        "topologySpreadConstraints": None,
        "volumes": VOLUME,
    },
}
"""All allowed fields."""
CONTAINERS = {"containers": "triton", "initContainers": "fetch"}
"""The one item of each list that may be changed."""
INSTEAD = {
    "spec.containers.args": "use spec.runtime.args",
    "spec.containers.image": "use spec.runtime.image",
    "spec.containers.lifecycle": "use spec.drain",
}
"""What to use instead of a field of a pod."""
SECURITY_ANNOTATION = re.compile(r"(^|\.)security\.(alpha|beta)\.kubernetes\.io/")
"""The annotations by which a pod could leave AppArmor and seccomp before these had fields, and
which Kubernetes still reads ("Pod Security Standards")."""
PLAIN_PATH = re.compile(r"(/([^/.][^/]*|\.[^/.][^/]*|\.\.[^/]+))+/?")
"""An absolute path without `.`, `..` and `//`: no other spelling leads to the same folder."""
MODELS = "/models/"
"""Where the model's files are: mounts here would hide them after they are verified."""

_PATH = "spec.podTemplate"
_ASK = (
    "ask the administrator of the operator to change HALIMEDE_POD_TEMPLATE (chart:"
    " operator.podTemplate)"
)
_NOT_ALLOWED = f"is not allowed by the policy {PodTemplatePolicy.RESTRICTED} of the operator"


def find_policy_violations(patch: Manifest, policy: PodTemplatePolicy) -> Iterator[Rejection]:
    """Yield what the administrator's policy does not allow in a patch.

    Args:
        patch: Its values have the types of a pod template's fields (`pod_template`).
        policy: The operator's setting.
    """
    if policy is PodTemplatePolicy.NONE and patch:
        yield _PATH, "the operator allows no podTemplate", f"remove it, or {_ASK}"
    elif policy is PodTemplatePolicy.RESTRICTED:
        spec = patch.get("spec") or {}
        others = tuple(_other_containers(spec))
        yield from others
        within = tuple(f"{path}." for path, _, _ in others)
        yield from (one for one in _fields(patch, spec) if not one[0].startswith(within))


def _other_containers(spec: Manifest) -> Iterator[Rejection]:
    for field, only in CONTAINERS.items():
        for number, container in enumerate(spec.get(field) or ()):
            if container["name"] != only:
                path = f"{_PATH}.spec.{field}[{number}]"
                yield _reject(path, f"another container than {only!r} {_NOT_ALLOWED}")


def _fields(patch: Manifest, spec: Manifest) -> Iterator[Rejection]:
    yield from _unlisted(patch, TEMPLATE, _PATH)
    yield from _annotations(patch.get("metadata") or {})
    for number, container in enumerate(spec.get("containers") or ()):
        for index, mount in enumerate(container.get("volumeMounts") or ()):
            yield from _mount(mount, f"{_PATH}.spec.containers[{number}].volumeMounts[{index}]")
    yield from _volumes(spec)


def _unlisted(value: Any, fields: Fields, path: str) -> Iterator[Rejection]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unlisted(item, fields, f"{path}[{number}]")
        return
    if not isinstance(value, dict):
        yield path, "must not be null", "remove it"
        return
    for name, inner in value.items():
        here = f"{path}.{name}"
        if name not in fields:
            yield _reject(here)
        elif (within := fields[name]) is not None:
            yield from _unlisted(inner, within, here)


def _reject(path: str, message: str = _NOT_ALLOWED) -> Rejection:
    bare = re.sub(r"\[\d+\]", "", path.removeprefix(f"{_PATH}."))
    return path, message, f"{INSTEAD.get(bare, 'remove it')}, or {_ASK}"


def _annotations(metadata: Manifest) -> Iterator[Rejection]:
    for name in metadata.get("annotations") or {}:
        if SECURITY_ANNOTATION.search(name):
            yield _reject(f"{_PATH}.metadata.annotations[{name}]")


def _mount(mount: Manifest, path: str) -> Iterator[Rejection]:
    """Yield a mount that would hide the files of the model, make them writable, or add Secrets."""
    if (name := mount.get("name")) in FETCHERS_VOLUMES | {"model"}:
        yield _reject(f"{path}.name", f"another mount of the volume {name!r} {_NOT_ALLOWED}")
    where = mount.get("mountPath") or ""
    if not PLAIN_PATH.fullmatch(where):
        yield (
            f"{path}.mountPath",
            f"{where!r} is not an absolute path without '.', '..' and '//'",
            "write the path in this form",
        )
    elif f"{where}/".startswith(MODELS):
        yield _reject(f"{path}.mountPath", f"a mount over the files of the model {_NOT_ALLOWED}")


def _volumes(spec: Manifest) -> Iterator[Rejection]:
    for number, volume in enumerate(spec.get("volumes") or ()):
        path = f"{_PATH}.spec.volumes[{number}]"
        match volume["name"]:
            case name if name in FETCHERS_VOLUMES:
                yield _reject(path, f"a change of the volume {name!r} {_NOT_ALLOWED}")
            case "model" | "shm" | "tmp" as name if volume.keys() - OWN_VOLUME:
                yield _reject(
                    path, f"a change of the volume {name!r} to another kind {_NOT_ALLOWED}"
                )
        claim = volume.get("persistentVolumeClaim") or {}
        if "persistentVolumeClaim" in volume and claim.get("readOnly") is not True:
            yield (
                f"{path}.persistentVolumeClaim.readOnly",
                f"a claim that is not read-only {_NOT_ALLOWED}",
                f"set it to true, or {_ASK}",
            )
