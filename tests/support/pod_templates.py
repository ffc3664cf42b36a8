"""Pod templates that the policy `Restricted` allows and rejects."""

from collections.abc import Iterator
from typing import Any

from kubernetes.aio.client import models

from halimede.api.base import Manifest
from halimede.validation.restricted_template import FETCH, TEMPLATE, TRITON, VOLUME

CPUS = {"containerName": "triton", "resource": "limits.cpu"}


def pod(**fields: Any) -> Manifest:
    """Return a patch of the pod."""
    return {"spec": fields}


def triton(**fields: Any) -> Manifest:
    """Return a patch of Triton's container."""
    return pod(containers=[{"name": "triton", **fields}])


def fetch(**fields: Any) -> Manifest:
    """Return a patch of the fetcher's container."""
    return pod(initContainers=[{"name": "fetch", **fields}])


def volume(name: str = "more", **source: Any) -> Manifest:
    """Return a patch with one volume."""
    return pod(volumes=[{"name": name, **source}])


def mount(path: str, **fields: Any) -> Manifest:
    """Return a patch that mounts a volume in Triton's container."""
    mounts = [{"name": "more", "mountPath": path, **fields}]
    patch = triton(volumeMounts=mounts)
    return {"spec": patch["spec"] | {"volumes": [{"name": "more", "emptyDir": {}}]}}


def env(**source: Any) -> Manifest:
    """Return a patch with a variable for Triton."""
    return triton(env=[{"name": "A", **source}])


def annotated(name: str) -> Manifest:
    """Return a patch with an annotation of the pod."""
    return {"metadata": {"annotations": {name: "unconfined"}}}


_TERM = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
_NODES = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [_TERM]}}
ALLOWED: dict[str, Manifest] = {
    "nothing": {},
    "labels and annotations": {
        "metadata": {"labels": {"team": "vision"}, "annotations": {"example.com/a": "b"}}
    },
    "an annotation with a similar name": annotated("security.example.com/a"),
    "scheduling": pod(
        nodeSelector={"zone": "a"},
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        affinity={"nodeAffinity": _NODES},
        topologySpreadConstraints=[
            {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        imagePullSecrets=[{"name": "registry"}],
    ),
    "a priority": pod(priorityClassName="system-cluster-critical"),
    "a null that removes a field": pod(terminationGracePeriodSeconds=None, affinity=None),
    "a grace period": pod(terminationGracePeriodSeconds=120),
    "resources": triton(resources={"limits": {"cpu": 2}, "requests": {"memory": "1Gi"}}),
    "resources of the fetcher": fetch(resources={"limits": {"memory": "1Gi"}}),
    "a value": env(value="b"),
    "a field of the pod": env(valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
    "a resource": env(valueFrom={"resourceFieldRef": CPUS}),
    "a key of a ConfigMap": env(valueFrom={"configMapKeyRef": {"name": "a", "key": "b"}}),
    "probes": triton(
        startupProbe={"exec": {"command": ["true"]}},
        readinessProbe={"httpGet": {"port": "http", "path": "/v2/health/ready"}},
        livenessProbe={"tcpSocket": {"port": 8000}, "periodSeconds": 5},
    ),
    "a ConfigMap": volume(configMap={"name": "a"}),
    "a scratch folder": volume(emptyDir={"sizeLimit": "1Gi"}),
    "what the pod knows of itself": volume(
        downwardAPI={"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}
    ),
    "a claim that is read": volume(persistentVolumeClaim={"claimName": "a", "readOnly": True}),
    "a larger folder for temporary files": volume("tmp", emptyDir={"sizeLimit": "50Gi"}),
    "a mount": mount("/more", readOnly=True, subPath="a"),
    "a mount below a folder": mount("/opt/more/"),
    "a mount beside the model": mount("/models-of-others"),
    "a hidden folder": mount("/opt/.cache/..more"),
}
"""Patches by what they show."""

REJECTED: dict[str, tuple[Manifest, str]] = {
    "the node's network": (pod(hostNetwork=True), "spec.hostNetwork"),
    "the node's processes": (pod(hostPID=True), "spec.hostPID"),
    "the node's memory": (pod(hostIPC=True), "spec.hostIPC"),
    "another user": (pod(securityContext={"runAsUser": 0}), "spec.securityContext"),
    "no security context": (pod(securityContext=None), "spec.securityContext"),
    "a token": (pod(automountServiceAccountToken=True), "spec.automountServiceAccountToken"),
    "the default of the token": (
        pod(automountServiceAccountToken=None),
        "spec.automountServiceAccountToken",
    ),
    "another account": (pod(serviceAccountName="admin"), "spec.serviceAccountName"),
    "other names of hosts": (pod(hostAliases=[{"ip": "10.0.0.1"}]), "spec.hostAliases"),
    "a field of the future": (pod(ofTheFuture={"a": 1}), "spec.ofTheFuture"),
    "a directive": (triton(resources={"$patch": "replace"}), "containers[0].resources.$patch"),
    "no AppArmor": (
        annotated("container.apparmor.security.beta.kubernetes.io/triton"),
        "metadata.annotations",
    ),
    "no seccomp": (annotated("seccomp.security.alpha.kubernetes.io/pod"), "metadata.annotations"),
    "a sidecar": (pod(containers=[{"name": "b", "image": "b:1"}]), "spec.containers[0]"),
    "an init container": (
        pod(initContainers=[{"name": "b", "image": "b:1"}]),
        "spec.initContainers[0]",
    ),
    "a debug container": (
        pod(ephemeralContainers=[{"name": "b", "image": "b:1"}]),
        "spec.ephemeralContainers",
    ),
    "another fetcher": (fetch(image="b:1"), "spec.initContainers[0].image"),
    "no digest": (fetch(args=["fetch"]), "spec.initContainers[0].args"),
    "another program": (fetch(command=["true"]), "spec.initContainers[0].command"),
    "code for the fetcher": (
        fetch(env=[{"name": "PYTHONPATH", "value": "/more"}]),
        "spec.initContainers[0].env",
    ),
    "files for the fetcher": (
        fetch(volumeMounts=[{"name": "more", "mountPath": "/more"}]),
        "spec.initContainers[0].volumeMounts",
    ),
    "another image": (triton(image="b:1"), "spec.containers[0].image"),
    "another server": (triton(command=["true"]), "spec.containers[0].command"),
    "other arguments": (triton(args=["--a"]), "spec.containers[0].args"),
    "privileges": (
        triton(securityContext={"privileged": True, "allowPrivilegeEscalation": True}),
        "spec.containers[0].securityContext",
    ),
    "a port of the node": (
        triton(ports=[{"containerPort": 1, "hostPort": 1}]),
        "spec.containers[0].ports",
    ),
    "a hook": (triton(lifecycle={"postStart": {"sleep": {"seconds": 1}}}), "lifecycle"),
    "all keys of a Secret": (
        triton(envFrom=[{"secretRef": {"name": "a"}}]),
        "spec.containers[0].envFrom",
    ),
    "a key of a Secret": (
        env(valueFrom={"secretKeyRef": {"name": "a", "key": "b"}}),
        "spec.containers[0].env[0].valueFrom.secretKeyRef",
    ),
    "a probe of another host": (
        triton(readinessProbe={"httpGet": {"host": "10.0.0.1", "port": 1}}),
        "spec.containers[0].readinessProbe.httpGet.host",
    ),
    "a connection to another host": (
        triton(startupProbe={"tcpSocket": {"host": "10.0.0.1", "port": 1}}),
        "spec.containers[0].startupProbe.tcpSocket.host",
    ),
    "no probe": (triton(livenessProbe=None), "spec.containers[0].livenessProbe"),
    "a folder of the node": (volume(hostPath={"path": "/"}), "spec.volumes[0].hostPath"),
    "a driver": (volume(csi={"driver": "a"}), "spec.volumes[0].csi"),
    "a server": (volume(nfs={"server": "a", "path": "/"}), "spec.volumes[0].nfs"),
    "a Secret": (volume(secret={"secretName": "a"}), "spec.volumes[0].secret"),
    "a projected token": (
        volume(projected={"sources": [{"serviceAccountToken": {"path": "a"}}]}),
        "spec.volumes[0].projected",
    ),
    "a claim that is written": (
        volume(persistentVolumeClaim={"claimName": "a"}),
        "spec.volumes[0].persistentVolumeClaim.readOnly",
    ),
    "a claim that is not read-only": (
        volume(persistentVolumeClaim={"claimName": "a", "readOnly": False}),
        "spec.volumes[0].persistentVolumeClaim.readOnly",
    ),
    "another configuration": (volume("config", configMap={"name": "a"}), "spec.volumes[0]"),
    "another source": (volume("source", emptyDir={}), "spec.volumes[0]"),
    "other credentials": (
        volume("source-credentials", emptyDir={}),
        "spec.volumes[0]",
    ),
    "the credentials": (
        triton(volumeMounts=[{"name": "source-credentials", "mountPath": "/credentials"}]),
        "spec.containers[0].volumeMounts[0].name",
    ),
    "another cache": (
        volume("halimede-cache", persistentVolumeClaim={"claimName": "a", "readOnly": True}),
        "spec.volumes[0]",
    ),
    "the cache": (
        triton(volumeMounts=[{"name": "halimede-cache", "mountPath": "/cache"}]),
        "spec.containers[0].volumeMounts[0].name",
    ),
    "another folder of the model": (
        volume("model", persistentVolumeClaim={"claimName": "a", "readOnly": True}),
        "spec.volumes[0]",
    ),
    "the model again": (
        triton(volumeMounts=[{"name": "model", "mountPath": "/writable"}]),
        "spec.containers[0].volumeMounts[0].name",
    ),
    "a writable model": (
        triton(volumeMounts=[{"mountPath": "/models", "readOnly": False}]),
        "spec.containers[0].volumeMounts[0].mountPath",
    ),
    "propagation": (
        mount("/more", mountPropagation="Bidirectional"),
        "spec.containers[0].volumeMounts[0].mountPropagation",
    ),
    **{
        f"a mount at {path!r}": (mount(path), "spec.containers[0].volumeMounts[0].mountPath")
        for path in (
            *("/models", "/models/", "/models/digits/1", "//models", "/./models", "/a/../models"),
            *("models", "/", "", "/..", "/a/.", "/a//b"),
        )
    },
}
"""Patches by what they would give, and a part of the path of the error."""


def unlisted() -> Iterator[tuple[str, Manifest, str]]:
    """Yield a patch for each field of a pod, its containers and volumes that is not allowed.

    Yields:
        Its name, a patch that sets it to an empty map, and the path of the error.
    """
    levels = (
        ("V1PodSpec", TEMPLATE["spec"], lambda name: pod(**{name: {}}), "spec"),
        ("V1Container", TRITON, lambda name: triton(**{name: {}}), "spec.containers[0]"),
        ("V1Container", FETCH, lambda name: fetch(**{name: {}}), "spec.initContainers[0]"),
        ("V1Volume", VOLUME, lambda name: volume(**{name: {}}), "spec.volumes[0]"),
    )
    for model, allowed, build, path in levels:
        declared: dict[str, str] = getattr(models, model).attribute_map
        for name in sorted(set(declared.values()) - set(allowed or {})):
            yield f"{path}.{name}", build(name), f"{path}.{name}"
