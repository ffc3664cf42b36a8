"""Which annotations of Ingresses and which ServiceAccounts the administrator allows."""

from collections.abc import Iterator

from halimede.api.expose import NGINX
from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.field_types import Rejection
from halimede.render.spec_policy import SpecPolicy, is_listed

HARMLESS = tuple(
    f"{NGINX}/{name}"
    for name in (
        "allowlist-source-range",
        "cors-allow-credentials",
        "cors-allow-headers",
        "cors-allow-methods",
        "cors-allow-origin",
        "cors-expose-headers",
        "cors-max-age",
        "denylist-source-range",
        "enable-cors",
        "force-ssl-redirect",
        "limit-burst-multiplier",
        "limit-connections",
        "limit-rate",
        "limit-rate-after",
        "limit-rpm",
        "limit-rps",
        "load-balance",
        "proxy-body-size",
        "proxy-buffering",
        "proxy-connect-timeout",
        "proxy-next-upstream",
        "proxy-next-upstream-timeout",
        "proxy-next-upstream-tries",
        "proxy-read-timeout",
        "proxy-request-buffering",
        "proxy-send-timeout",
        "ssl-redirect",
        "whitelist-source-range",
    )
)
"""The annotations that are always allowed: they concern only requests to the model's own hostname,
and neither name a Secret, a host or a file nor are written as nginx's configuration. ingress-nginx
ranks none of them higher than Medium ("Annotations Scope and Risk" in its user guide).

The chart has the same list, in `halimede.harmlessAnnotations`.
"""
DEFAULT_ACCOUNT = "default"
"""The ServiceAccount that a pod has if it names none."""


def find_disallowed_names(md: ModelDeployment, policy: SpecPolicy) -> Iterator[Rejection]:
    """Yield the annotations and the ServiceAccount that the administrator does not allow."""
    ingress, account = md.spec.expose.ingress, md.spec.service_account_name
    for name in ingress.annotations if ingress else ():
        if not is_listed(name, (*HARMLESS, *policy.ingress_annotations)):
            yield (
                f"spec.expose.ingress.annotations[{name}]",
                "the operator does not allow this annotation",
                (
                    "remove it, or ask the administrator of the operator to add it to"
                    " HALIMEDE_INGRESS_ANNOTATIONS (chart: operator.ingressAnnotations)"
                ),
            )
    if account and not is_listed(account, (DEFAULT_ACCOUNT, *policy.service_accounts)):
        yield (
            "spec.serviceAccountName",
            f"the operator does not allow the ServiceAccount {account!r}",
            (
                "remove it, or ask the administrator of the operator to add it to"
                " HALIMEDE_SERVICE_ACCOUNTS (chart: operator.serviceAccounts)"
            ),
        )
