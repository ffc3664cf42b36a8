"""Where the route has each revision: some routers name their series by nothing else."""

from collections.abc import Iterator

from halimede.api.base import Manifest
from halimede.judge.reading import BackendPosition


def backend_positions(entrance: tuple[Manifest, ...], name: str) -> tuple[BackendPosition, ...]:
    """List the backends of HTTPRoutes that are Services of revisions of *name*."""
    routes = (one for one in entrance if one["kind"] == "HTTPRoute")
    return tuple(place for one in routes for place in _of(one, name))


def _of(http_route: Manifest, name: str) -> Iterator[BackendPosition]:
    metadata = http_route["metadata"]
    route, services = f"{metadata['namespace']}/{metadata['name']}", f"{name}-"
    for rule, ruled in enumerate(http_route["spec"].get("rules") or ()):
        for place, backend in enumerate(ruled.get("backendRefs") or ()):
            if backend["name"].startswith(services):
                revision = backend["name"].removeprefix(services)
                yield BackendPosition(route, rule, place, revision, backend["port"])
