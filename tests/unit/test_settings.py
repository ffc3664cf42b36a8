"""The operator's settings."""

import re

import pytest

from halimede.adapters.errors import SettingsError
from halimede.adapters.prometheus import MAX_RESPONSE_MEBIBYTES
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.render.spec_policy import PodTemplatePolicy, SpecPolicy
from halimede.settings import Settings

EVERY_VARIABLE = {
    "HALIMEDE_FETCH_IMAGE": "registry.example/halimede-fetch:1",
    "HALIMEDE_NAMESPACES": "a, b,",
    "HALIMEDE_PROMETHEUS_URL": " http://prometheus:9090/ ",
    "HALIMEDE_PROMETHEUS_CREDENTIALS": "/etc/halimede/prometheus",
    "HALIMEDE_PROMETHEUS_INSECURE_SKIP_VERIFY": "True",
    "HALIMEDE_PROMETHEUS_MAX_RESPONSE_MEBIBYTES": "32",
    "HALIMEDE_PROMETHEUS_CUSTOM_QUERIES": "full",
    "HALIMEDE_PROMETHEUS_MATCHERS": "cluster=eu, replica=a,",
    "HALIMEDE_PROMETHEUS_ROUTER_MATCHERS": "namespace=projectcontour",
    "HALIMEDE_TRITON_REPOSITORY": "registry.example/tritonserver",
    "HALIMEDE_SHA256_REQUIRED": "true",
    "HALIMEDE_NETWORK_POLICIES": "false",
    "HALIMEDE_NETWORK_GATEWAY": '[{"namespaceSelector": {}, "podSelector": {}}]',
    "HALIMEDE_NETWORK_CLIENTS": '[{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]',
    "HALIMEDE_NETWORK_MONITORING": "[]",
    "HALIMEDE_POD_TEMPLATE": "none",
    "HALIMEDE_INGRESS_ANNOTATIONS": "cert-manager.io/issuer, example.com/*,",
    "HALIMEDE_SERVICE_ACCOUNTS": "*",
    "HALIMEDE_WORKERS": "3",
    "HALIMEDE_RESYNC_SECONDS": "60",
    "HALIMEDE_HTTP_PORT": "0",
    "HALIMEDE_METRICS_AUTHENTICATION": "false",
    "HALIMEDE_LOG_FORMAT": "TEXT",
    "HALIMEDE_LOG_LEVEL": "debug",
    "OTHER": "ignored",
}


def test_nothing_need_be_set() -> None:
    """An empty environment is valid: all namespaces, no metrics."""
    assert Settings.from_env({}) == Settings()


def test_defaults_are_those_of_what_they_set() -> None:
    """Given modules that the settings do not import, their defaults are equal."""
    settings = Settings()
    assert settings.prometheus_max_response_mebibytes == MAX_RESPONSE_MEBIBYTES
    assert settings.query_policy() == QueryPolicy()


def test_everything_can_be_set() -> None:
    """Every variable sets its field; spaces around values and after commas are ignored."""
    assert Settings.from_env(EVERY_VARIABLE) == Settings(
        fetch_image="registry.example/halimede-fetch:1",
        namespaces=("a", "b"),
        prometheus_url="http://prometheus:9090",
        prometheus_credentials="/etc/halimede/prometheus",
        prometheus_insecure_skip_verify=True,
        prometheus_max_response_mebibytes=32,
        prometheus_custom_queries=CustomQueryScope.FULL,
        prometheus_matchers=(("cluster", "eu"), ("replica", "a")),
        prometheus_router_matchers=(("namespace", "projectcontour"),),
        triton_repository="registry.example/tritonserver",
        sha256_required=True,
        network_policies=False,
        network_gateway=({"namespaceSelector": {}, "podSelector": {}},),
        network_clients=({"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}),
        pod_template=PodTemplatePolicy.NONE,
        ingress_annotations=("cert-manager.io/issuer", "example.com/*"),
        service_accounts=("*",),
        workers=3,
        resync_seconds=60,
        http_port=0,
        metrics_authentication=False,
        log_format="text",
        log_level="DEBUG",
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HALIMEDE_WORKERS", "0", "from 1 to 100"),
        ("HALIMEDE_WORKERS", "ten", "from 1 to 100"),
        ("HALIMEDE_RESYNC_SECONDS", "5", "from 10 to 86400"),
        ("HALIMEDE_HTTP_PORT", "65536", "from 0 to 65535"),
        ("HALIMEDE_LOG_FORMAT", "xml", "json, text"),
        ("HALIMEDE_LOG_LEVEL", "loud", "DEBUG, INFO, WARNING, ERROR"),
        ("HALIMEDE_PROMETHEUS_URL", "prometheus:9090", "http://"),
        ("HALIMEDE_PROMETHEUS_INSECURE_SKIP_VERIFY", "yes", "true, false"),
        ("HALIMEDE_SHA256_REQUIRED", "1", "true, false"),
        ("HALIMEDE_NETWORK_POLICIES", "on", "true, false"),
        ("HALIMEDE_NETWORK_GATEWAY", "gateway", "not valid JSON"),
        ("HALIMEDE_NETWORK_GATEWAY", "[" * 100_000, "not valid JSON"),
        ("HALIMEDE_NETWORK_CLIENTS", "{}", "not a list; write a JSON list"),
        ("HALIMEDE_NETWORK_MONITORING", '[{"podSelector": {}}, {}]', "item 1 is not a peer"),
        ("HALIMEDE_NETWORK_MONITORING", '[{"pods": {}}]', "item 0 is not a peer; set ipBlock"),
        ("HALIMEDE_NETWORK_MONITORING", '[{"podSelector": "app=a"}]', "item 0 is not a peer"),
        (
            "HALIMEDE_NETWORK_MONITORING",
            '[{"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}}]',
            "item 0 is not a peer",
        ),
        ("HALIMEDE_POD_TEMPLATE", "some", "Full, Restricted, None"),
        ("HALIMEDE_INGRESS_ANNOTATIONS", "a,*/b", "'*/b' is not a name"),
        ("HALIMEDE_INGRESS_ANNOTATIONS", "a b", "'a b' is not a name"),
        ("HALIMEDE_SERVICE_ACCOUNTS", "a*b", "'*' only at the end"),
        ("HALIMEDE_PROMETHEUS_MAX_RESPONSE_MEBIBYTES", "0", "from 1 to 256"),
        ("HALIMEDE_PROMETHEUS_CUSTOM_QUERIES", "some", "Off, Namespaced, Full"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "cluster", "'cluster' is not a label and its value"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "a-b=c", "'a-b=c' is not a label"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", 'a="b"', "is not a label and its value"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "a=b}", "is not a label and its value"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "a=~b", "is not a label and its value"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", f"a={'b' * 129}", "is not a label and its value"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "a=b,a=c", "a occurs twice"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "namespace=ml", "HALIMEDE_PROMETHEUS_ROUTER_MATCHERS"),
        ("HALIMEDE_PROMETHEUS_MATCHERS", "__name__=up", "the label __name__ differs"),
        ("HALIMEDE_PROMETHEUS_ROUTER_MATCHERS", "le=5", "the label le differs"),
    ],
)
def test_what_is_unusable_is_rejected_by_name(name: str, value: str, says: str) -> None:
    """The message has the variable, its value, and valid values."""
    with pytest.raises(SettingsError, match=rf"{name} is '{re.escape(value)}'.*{says}"):
        Settings.from_env({name: value})


def test_rendering_uses_the_configured_images() -> None:
    """The platform has the two images."""
    platform = Settings.from_env({"HALIMEDE_FETCH_IMAGE": "i", "HALIMEDE_TRITON_REPOSITORY": "t"})
    assert (platform.platform().fetch_image, platform.platform().triton_repository) == (
        "i",
        "t",
    )


def test_validation_uses_what_is_demanded_of_specs() -> None:
    """The platform has it."""
    assert Settings.from_env({"HALIMEDE_SHA256_REQUIRED": "true"}).platform().sha256_required
    env = {
        "HALIMEDE_POD_TEMPLATE": "Full",
        "HALIMEDE_INGRESS_ANNOTATIONS": "a",
        "HALIMEDE_SERVICE_ACCOUNTS": "b",
    }
    specs = SpecPolicy(PodTemplatePolicy.FULL, ("a",), ("b",))
    assert Settings.from_env(env).platform().specs == specs
    assert Settings().platform().specs == SpecPolicy()


def test_queries_are_limited_as_configured() -> None:
    """The policy has the scope and both kinds of matchers."""
    env = {
        "HALIMEDE_PROMETHEUS_CUSTOM_QUERIES": "Off",
        "HALIMEDE_PROMETHEUS_MATCHERS": "cluster=eu",
        "HALIMEDE_PROMETHEUS_ROUTER_MATCHERS": "namespace=projectcontour",
    }
    assert Settings.from_env(env).query_policy() == QueryPolicy(
        CustomQueryScope.OFF, (("cluster", "eu"),), (("namespace", "projectcontour"),)
    )
