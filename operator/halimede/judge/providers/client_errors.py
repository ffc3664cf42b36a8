"""Count the requests that a router's upstreams answered with a client error.

These are the HTTP statuses 4xx except 499, and the gRPC codes in `GRPC_CLIENT_ERRORS`. They blame
the client, so they are not errors of the revision. But if the canary returns more of them than the
stable revision to the same clients, then the revision has changed: it checks its input more
strictly, or the model, an input or an output has another name.

They are read from the same series as the router's errors, so one answer serves both sources.
"""

from collections.abc import Iterable
from dataclasses import replace

from halimede.judge.providers.provider import Labels, Meaning, Provider, Reader
from halimede.judge.reading import Counts, MetricsRequest, Series


def count_client_errors(router: Provider) -> Provider:
    """Count client errors where *router* counts errors; requests are the same."""

    def reader(request: MetricsRequest, series: Iterable[Series]) -> Reader:
        own = router.reader(request, series)

        def read(labels: Labels) -> Meaning | None:
            meaning = own(labels)
            if meaning is None:
                return None
            return replace(meaning, one=Counts(meaning.one.requests, meaning.client_errors))

        return read

    return replace(router, reader=reader)
