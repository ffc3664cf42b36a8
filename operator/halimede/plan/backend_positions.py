"""Find the position of each revision in the route: some routers name their series only by it."""

from collections.abc import Iterator

from halimede.api.base import Manifest
from halimede.judge.reading import BackendPosition


def backend_positions(entrance: tuple[Manifest, ...], name: str) -> tuple[BackendPosition, ...]:
    """List the backends of HTTPRoutes that are Services of revisions of *name*."""
    routes = (manifest for manifest in entrance if manifest["kind"] == "HTTPRoute")
    return tuple(position for route in routes for position in _positions(route, name))


def _positions(http_route: Manifest, name: str) -> Iterator[BackendPosition]:
    metadata = http_route["metadata"]
    route, prefix = f"{metadata['namespace']}/{metadata['name']}", f"{name}-"
    for rule_index, rule in enumerate(http_route["spec"].get("rules") or ()):
        for index, backend in enumerate(rule.get("backendRefs") or ()):
            if backend["name"].startswith(prefix):
                revision = backend["name"].removeprefix(prefix)
                yield BackendPosition(route, rule_index, index, revision, backend["port"])
