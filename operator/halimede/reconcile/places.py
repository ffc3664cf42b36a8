"""Where the route has each revision: some routers name their series by nothing else."""

from collections.abc import Iterator

from halimede.api.base import Manifest
from halimede.judge.reading import Backend


def places(entrance: tuple[Manifest, ...]) -> tuple[Backend, ...]:
    """List the backends of the rendered HTTPRoutes that are Services of revisions."""
    return tuple(place for one in entrance if one["kind"] == "HTTPRoute" for place in _of(one))


def _of(http_route: Manifest) -> Iterator[Backend]:
    metadata = http_route["metadata"]
    route, services = f"{metadata['namespace']}/{metadata['name']}", f"{metadata['name']}-"
    for rule, ruled in enumerate(http_route["spec"]["rules"]):
        for place, backend in enumerate(ruled["backendRefs"]):
            if backend["name"].startswith(services):
                revision = backend["name"].removeprefix(services)
                yield Backend(route, rule, place, revision, backend["port"])
