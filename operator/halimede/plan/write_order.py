"""The order in which children are written, and which of them a taken name affects.

| child | is only written if these are ours |
|---|---|
| Deployment | the ConfigMap of its revision: pods would get the content of another one |
| Deployment | the NetworkPolicy of its revision, if it has one: pods would not be isolated |
| HTTPRoute | the Services that get requests or copies of them |
| Ingress | its Service |
| canary Ingress | also its main Ingress: the canary would take requests from another one |
| HorizontalPodAutoscaler | the Deployment that it scales |
| Job | its NetworkPolicy, if it has one |

Everything else is written independently.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from halimede.api.base import Manifest
from halimede.api.expose import CANARY
from halimede.plan.foreign import ChildKey, child_key
from halimede.render.traffic import CANARY_SUFFIX

ROUTES = frozenset({"HTTPRoute", "Ingress"})
"""The kinds that lead requests to Services."""


def waves(manifests: Iterable[Manifest]) -> tuple[tuple[Manifest, ...], ...]:
    """Group objects: those of one wave do not depend on each other, the waves are in this order.

    What an object depends on is in an earlier wave, so that no object is written before it is
    known that what it refers to exists and is ours: see `independent_of`.
    """
    grouped: tuple[list[Manifest], ...] = ([], [], [])
    for manifest in manifests:
        grouped[_wave(manifest)].append(manifest)
    return tuple(tuple(wave) for wave in grouped if wave)


def independent_of(
    manifests: Iterable[Manifest], missing: AbstractSet[ChildKey]
) -> tuple[Manifest, ...]:
    """Return the objects that depend on none of these children."""
    return tuple(one for one in manifests if missing.isdisjoint(_dependencies(one)))


def split_by_names(
    manifests: Iterable[Manifest], taken: AbstractSet[ChildKey]
) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
    """Split objects into those that can be written, and those that taken names affect.

    The second ones have a taken name themselves, or depend on an object that has.
    """
    writable, affected, missing = [], [], set(taken)
    for wave in waves(manifests):
        for manifest in wave:
            if child_key(manifest) in missing or not missing.isdisjoint(_dependencies(manifest)):
                affected.append(manifest)
                missing.add(child_key(manifest))
            else:
                writable.append(manifest)
    return tuple(writable), tuple(affected)


def is_canary(manifest: Manifest) -> bool:
    """Whether an object is a canary Ingress, which has no effect without its main Ingress."""
    annotations = manifest["metadata"].get("annotations") or {}
    return manifest["kind"] == "Ingress" and annotations.get(CANARY) == "true"


def _dependencies(manifest: Manifest) -> frozenset[ChildKey]:
    """Return the children that must be ours when an object is written."""
    name, spec = manifest["metadata"]["name"], manifest.get("spec") or {}
    match manifest["kind"]:
        case "Deployment":
            return frozenset({("ConfigMap", name), ("NetworkPolicy", name)})
        case "Job":
            return frozenset({("NetworkPolicy", name)})
        case "HTTPRoute":
            return frozenset(("Service", service) for service in _route_services(spec))
        case "Ingress":
            services = {("Service", service) for service in _ingress_services(spec)}
            main = {("Ingress", name.removesuffix(CANARY_SUFFIX))} if is_canary(manifest) else ()
            return frozenset(services.union(main))
        case "HorizontalPodAutoscaler":
            return frozenset({("Deployment", spec["scaleTargetRef"]["name"])})
        case _:
            return frozenset()


def _wave(manifest: Manifest) -> int:
    if manifest["kind"] == "HorizontalPodAutoscaler" or is_canary(manifest):
        return 2
    return 1 if manifest["kind"] in ROUTES | {"Deployment", "Job"} else 0


def _route_services(spec: Manifest) -> Iterator[str]:
    """Yield the Services to which an HTTPRoute gives requests, or copies of requests."""
    for rule in spec.get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            if backend.get("weight", 1) > 0:
                yield backend["name"]
        for item in rule.get("filters") or ():
            if "requestMirror" in item:
                yield item["requestMirror"]["backendRef"]["name"]


def _ingress_services(spec: Manifest) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        for path in rule["http"]["paths"]:
            yield path["backend"]["service"]["name"]
