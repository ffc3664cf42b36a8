"""The operator's settings, all of which are environment variables."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar, get_args

from halimede.adapters.errors import SettingsError
from halimede.judge.query_policy import CustomQueryScope, Matchers, QueryPolicy
from halimede.log import LogFormat, LogLevel
from halimede.render.peers import parse_peers
from halimede.render.platform import NetworkSettings, Peers, Platform
from halimede.render.spec_policy import PodTemplatePolicy, SpecPolicy

LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

_ENTRY = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/]*\*?|\*", re.ASCII)
"""A name of an annotation or a ServiceAccount, or the beginning of one."""
_MATCHER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=([A-Za-z0-9._:/-]{1,128})", re.ASCII)

C = TypeVar("C", bound=str)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that the operator was started with."""

    fetch_image: str = "localhost/halimede-fetch:0.1.0"
    """HALIMEDE_FETCH_IMAGE: the image of the init containers that fetch the models. The chart
    always sets it. The default is an image that no public registry has."""
    namespaces: tuple[str, ...] = ()
    """HALIMEDE_NAMESPACES: the namespaces to watch, separated by commas; empty: all."""
    prometheus_url: str | None = None
    """HALIMEDE_PROMETHEUS_URL: the server that rollouts are judged by; empty: none is judged."""
    prometheus_credentials: str | None = None
    """HALIMEDE_PROMETHEUS_CREDENTIALS: a folder with any of the files username and password,
    token, headers (one in each line), ca.crt, tls.crt and tls.key; changes take effect without a
    restart."""
    prometheus_insecure_skip_verify: bool = False
    """HALIMEDE_PROMETHEUS_INSECURE_SKIP_VERIFY: accept any certificate from Prometheus."""
    prometheus_max_response_mebibytes: int = 8
    """HALIMEDE_PROMETHEUS_MAX_RESPONSE_MEBIBYTES: the largest response with counters."""
    prometheus_custom_queries: CustomQueryScope = CustomQueryScope.NAMESPACED
    """HALIMEDE_PROMETHEUS_CUSTOM_QUERIES: which series the queries of ModelDeployments may read:
    Off, Namespaced or Full."""
    prometheus_matchers: Matchers = ()
    """HALIMEDE_PROMETHEUS_MATCHERS: label matchers of all series that count, such as
    `cluster=eu,replica=a`."""
    prometheus_router_matchers: Matchers = ()
    """HALIMEDE_PROMETHEUS_ROUTER_MATCHERS: further ones of the router's series, such as
    `namespace=projectcontour`."""
    triton_repository: str = "nvcr.io/nvidia/tritonserver"
    """HALIMEDE_TRITON_REPOSITORY: the image repository that `spec.runtime.version` is a tag of."""
    sha256_required: bool = False
    """HALIMEDE_SHA256_REQUIRED: serve only models whose files are verified by a digest."""
    network_policies: bool = True
    """HALIMEDE_NETWORK_POLICIES: isolate the pods of models by NetworkPolicies."""
    network_gateway: Peers = ()
    """HALIMEDE_NETWORK_GATEWAY: who may call models that a Gateway or an Ingress exposes, as a
    JSON list of NetworkPolicyPeers; empty: any address."""
    network_clients: Peers = ()
    """HALIMEDE_NETWORK_CLIENTS: the same for models of `expose.type: Service`."""
    network_monitoring: Peers = ()
    """HALIMEDE_NETWORK_MONITORING: the same for Triton's metrics."""
    pod_template: PodTemplatePolicy = PodTemplatePolicy.RESTRICTED
    """HALIMEDE_POD_TEMPLATE: what `spec.podTemplate` may change: Full, Restricted or None."""
    ingress_annotations: tuple[str, ...] = ()
    """HALIMEDE_INGRESS_ANNOTATIONS: annotations that Ingresses may have besides the harmless ones,
    separated by commas; a `*` at the end stands for any rest."""
    service_accounts: tuple[str, ...] = ()
    """HALIMEDE_SERVICE_ACCOUNTS: ServiceAccounts that pods of models may have besides `default`,
    in the same form."""
    lease: tuple[str, str] | None = None
    """HALIMEDE_LEASE: `namespace/name` of the Lease by which several replicas agree on a leader;
    empty: this is the only one."""
    lease_seconds: int = 12
    """HALIMEDE_LEASE_SECONDS: time without a renewal until another replica takes over."""
    workers: int = 32
    """HALIMEDE_WORKERS: how many ModelDeployments are reconciled at the same time."""
    resync_seconds: float = 300.0
    """HALIMEDE_RESYNC_SECONDS: how often each is reconciled even if no change was observed."""
    http_port: int = 8080
    """HALIMEDE_HTTP_PORT: where /healthz, /readyz and /metrics are served; 0: any free port."""
    metrics_authentication: bool = True
    """HALIMEDE_METRICS_AUTHENTICATION: serve /metrics only to those who may get it, by their
    bearer tokens."""
    log_format: LogFormat = "json"
    """HALIMEDE_LOG_FORMAT: `json` for machines, `text` for people."""
    log_level: LogLevel = "INFO"
    """HALIMEDE_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR. INFO logs one line for each reconcile
    that writes something, DEBUG one for each reconcile."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from *env*.

        Raises:
            SettingsError: A variable has an invalid value.
        """
        given = _Environment.read(env, cls())
        return cls(
            fetch_image=given.text("fetch_image"),
            namespaces=given.names("namespaces"),
            prometheus_url=_url(given.text("prometheus_url")),
            prometheus_credentials=given.text("prometheus_credentials"),
            prometheus_insecure_skip_verify=given.flag("prometheus_insecure_skip_verify"),
            prometheus_max_response_mebibytes=given.integer(
                "prometheus_max_response_mebibytes", 1, 256
            ),
            prometheus_custom_queries=given.choice("prometheus_custom_queries", CustomQueryScope),
            prometheus_matchers=given.matchers("prometheus_matchers", "le", "namespace"),
            prometheus_router_matchers=given.matchers("prometheus_router_matchers", "le"),
            triton_repository=given.text("triton_repository"),
            sha256_required=given.flag("sha256_required"),
            network_policies=given.flag("network_policies"),
            network_gateway=given.peers("network_gateway"),
            network_clients=given.peers("network_clients"),
            network_monitoring=given.peers("network_monitoring"),
            pod_template=given.choice("pod_template", PodTemplatePolicy),
            ingress_annotations=given.entries("ingress_annotations"),
            service_accounts=given.entries("service_accounts"),
            lease=_lease(given.text("lease")),
            lease_seconds=given.integer("lease_seconds", 6, 300),
            workers=given.integer("workers", 1, 100),
            resync_seconds=given.integer("resync_seconds", 10, 86400),
            http_port=given.integer("http_port", 0, 65535),
            metrics_authentication=given.flag("metrics_authentication"),
            log_format=given.choice("log_format", LOG_FORMATS),
            log_level=given.choice("log_level", LOG_LEVELS),
        )

    def platform(self) -> Platform:
        """Return the settings that rendering and validation need."""
        network = NetworkSettings(
            self.network_gateway, self.network_clients, self.network_monitoring
        )
        return Platform(
            self.fetch_image,
            self.triton_repository,
            self.sha256_required,
            network if self.network_policies else None,
            SpecPolicy(self.pod_template, self.ingress_annotations, self.service_accounts),
        )

    def query_policy(self) -> QueryPolicy:
        """Return the settings that queries depend on."""
        return QueryPolicy(
            self.prometheus_custom_queries,
            self.prometheus_matchers,
            self.prometheus_router_matchers,
        )


@dataclass(frozen=True, slots=True)
class _Environment:
    """The variables that are set, by the names of their settings; each method reads one."""

    values: Mapping[str, str]
    defaults: Settings

    @classmethod
    def read(cls, env: Mapping[str, str], defaults: Settings) -> Self:
        values = {
            name.removeprefix("HALIMEDE_").lower(): value.strip()
            for name, value in env.items()
            if name.startswith("HALIMEDE_") and value.strip()
        }
        return cls(values, defaults)

    def text(self, name: str) -> Any:
        return self.values.get(name, getattr(self.defaults, name))

    def integer(self, name: str, low: int, high: int) -> Any:
        text = self.values.get(name)
        if text is None:
            return getattr(self.defaults, name)
        if not text.isdecimal() or not low <= int(text) <= high:
            raise self._error(name, f"set it to an integer from {low} to {high}")
        return int(text)

    def flag(self, name: str) -> bool:
        if name not in self.values:
            return bool(getattr(self.defaults, name))
        return self.choice(name, ("true", "false")) == "true"

    def choice(self, name: str, of: Iterable[C]) -> C:
        text, choices = str(self.text(name)).lower(), tuple(of)
        for choice in choices:
            if text == choice.lower():
                return choice
        raise self._error(name, f"set it to one of {', '.join(choices)}")

    def names(self, name: str) -> tuple[str, ...]:
        items = (item.strip() for item in self.values.get(name, "").split(","))
        return tuple(filter(None, items))

    def entries(self, name: str) -> tuple[str, ...]:
        entries = self.names(name)
        for entry in entries:
            if _ENTRY.fullmatch(entry) is None:
                raise self._error(
                    name,
                    f"{entry!r} is not a name; write names such as a/b, and '*' only at the end,"
                    " for all names that begin so",
                )
        return entries

    def peers(self, name: str) -> Peers:
        try:
            return parse_peers(self.values.get(name, "[]"))
        except ValueError as error:
            raise self._error(name, str(error)) from error

    def matchers(self, name: str, *reserved: str) -> Matchers:
        """Read label matchers; the labels that built-in queries select by are *reserved*."""
        matchers: dict[str, str] = {}
        for item in self.names(name):
            match = _MATCHER.fullmatch(item)
            if match is None:
                raise self._error(
                    name,
                    f"{item!r} is not a label and its value; write matchers like"
                    " cluster=eu,replica=a, with letters, digits, '_', '.', ':', '/' and '-' in"
                    " values",
                )
            label, value = match.groups()
            if label in reserved or label.startswith("__"):
                raise self._error(
                    name,
                    f"the label {label} differs between the series that are needed; remove"
                    " it, or, if it is the router's namespace, set it in"
                    " HALIMEDE_PROMETHEUS_ROUTER_MATCHERS",
                )
            if label in matchers:
                raise self._error(name, f"{label} occurs twice; remove one of them")
            matchers[label] = value
        return tuple(matchers.items())

    def _error(self, name: str, problem: str) -> SettingsError:
        return SettingsError(f"HALIMEDE_{name.upper()} is {self.values[name]!r}: {problem}")


def _url(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.startswith(("http://", "https://")):
        raise SettingsError(
            f"HALIMEDE_PROMETHEUS_URL is {text!r}: set it to a complete URL, such as"
            " http://prometheus.monitoring:9090, or leave it empty"
        )
    if "@" in text.split("/")[2]:
        raise SettingsError(
            "HALIMEDE_PROMETHEUS_URL contains a user name or password, which would appear in"
            " logs: put them into files and set HALIMEDE_PROMETHEUS_CREDENTIALS to their"
            " directory"
        )
    return text.rstrip("/")


def _lease(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise SettingsError(
            f"HALIMEDE_LEASE is {text!r}: set it to <namespace>/<name>, or leave it empty"
        )
    return namespace, name
