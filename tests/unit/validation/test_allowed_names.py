"""Which annotations of Ingresses and which ServiceAccounts a spec may name."""

import pytest

from halimede.render.spec_policy import SpecPolicy
from halimede.validation.allowed_names import HARMLESS
from halimede.validation.spec import find_violations
from tests.unit.render.resources import INPUTS, digits

NGINX = "nginx.ingress.kubernetes.io"
RISKY = (
    *("auth-realm", "auth-secret", "auth-signin", "auth-snippet", "auth-tls-match-cn"),
    *("auth-tls-secret", "auth-url", "configuration-snippet", "custom-headers"),
    *("default-backend", "enable-access-log", "mirror-host", "mirror-target"),
    *("modsecurity-snippet", "permanent-redirect", "proxy-cookie-path", "proxy-redirect-to"),
    *("proxy-ssl-secret", "rewrite-target", "server-alias", "server-snippet"),
    *("service-upstream", "ssl-passthrough", "stream-snippet", "upstream-hash-by"),
    *("upstream-vhost", "use-regex", "x-forwarded-prefix", "proxy-body-size-2"),
)
"""Annotations of ingress-nginx that lead elsewhere, name Secrets, or are configuration."""


def annotated(*names: str, policy: SpecPolicy | None = None) -> list[str]:
    """Return the errors of a spec whose Ingresses have these annotations."""
    ingress = {"host": "digits.example.com", "annotations": dict.fromkeys(names, "1")}
    md = digits(expose={"type": "Ingress", "ingress": ingress})
    return list(map(str, find_violations(md, INPUTS, specs=policy or SpecPolicy())))


def test_harmless_annotations_are_allowed() -> None:
    """With every setting."""
    assert annotated(*HARMLESS) == []
    assert list(HARMLESS) == sorted(HARMLESS)


@pytest.mark.parametrize(
    "name", [*(f"{NGINX}/{name}" for name in RISKY), "cert-manager.io/issuer", "a"]
)
def test_other_annotations_need_permission(name: str) -> None:
    """The error has the name and the setting; the setting allows it."""
    assert annotated(*HARMLESS, name) == [
        (
            f"spec.expose.ingress.annotations[{name}]: the operator does not allow this"
            " annotation; remove it, or ask the administrator of the operator to add it to"
            " HALIMEDE_INGRESS_ANNOTATIONS (chart: operator.ingressAnnotations)"
        )
    ]
    for entry in (name, "*", f"{name[:-1]}*"):
        assert annotated(name, policy=SpecPolicy(ingress_annotations=("b", entry))) == []
    assert annotated(name, policy=SpecPolicy(ingress_annotations=(f"{name}-*", name[:-1])))


def account(name: str, *entries: str) -> list[str]:
    """Return the errors of a spec with a ServiceAccount."""
    policy = SpecPolicy(service_accounts=entries)
    return list(map(str, find_violations(digits(serviceAccountName=name), INPUTS, specs=policy)))


def test_accounts_need_permission() -> None:
    """The default one needs none."""
    assert account("default") == []
    assert account("admin") == [
        (
            "spec.serviceAccountName: the operator does not allow the ServiceAccount 'admin';"
            " remove it, or ask the administrator of the operator to add it to"
            " HALIMEDE_SERVICE_ACCOUNTS (chart: operator.serviceAccounts)"
        )
    ]
    assert account("admin", "models", "admin") == []
    assert account("team-a", "team-*") == []
    assert account("team-a", "team", "eam-*") != []
