"""The kinds of objects that Halimede touches, and where the API server keeps them."""

from dataclasses import dataclass

from halimede.api import v1alpha1
from halimede.api.base import Manifest
from halimede.render.names import MANAGER

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = f"{MANAGED_BY}={MANAGER}"
"""The label selector of everything that we make, and of the pods and slices that come of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind in the one version that we speak."""

    name: str
    """As in a manifest's `kind`."""
    api_version: str
    """As in a manifest's `apiVersion`."""
    plural: str
    """As in paths and in RBAC rules."""
    selector: str | None = OURS
    """The label selector of our watch; None: every object of the kind is ours to look at."""

    tracks_managers: bool = False
    """Whether others are known to write ours too, so that it matters who wrote what."""

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def selects(self, manifest: Manifest) -> bool:
        """Tell whether *manifest* is one of those that the selector means."""
        labels = manifest["metadata"].get("labels") or {}
        return self.selector is None or labels.get(MANAGED_BY) == MANAGER

    def path(
        self, namespace: str | None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Write the URL path of a collection (without *name*) or of one object.

        >>> DEPLOYMENT.path("apps", "digits")
        '/apis/apps/v1/namespaces/apps/deployments/digits'
        >>> POD.path(None)
        '/api/v1/pods'
        """
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        parts = (
            root,
            f"namespaces/{namespace}" if namespace else None,
            self.plural,
            name,
            subresource,
        )
        return "/".join(part for part in parts if part)


MODEL_DEPLOYMENT = Kind(v1alpha1.KIND, v1alpha1.API_VERSION, plural=v1alpha1.PLURAL, selector=None)
DEPLOYMENT = Kind("Deployment", "apps/v1", "deployments")
SERVICE = Kind("Service", "v1", "services")
CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")
HTTP_ROUTE = Kind("HTTPRoute", "gateway.networking.k8s.io/v1", "httproutes", tracks_managers=True)
INGRESS = Kind("Ingress", "networking.k8s.io/v1", "ingresses", tracks_managers=True)
AUTOSCALER = Kind("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
POD = Kind("Pod", "v1", "pods")
ENDPOINT_SLICE = Kind("EndpointSlice", "discovery.k8s.io/v1", "endpointslices")

CHILDREN = (
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    AUTOSCALER,
    DISRUPTION_BUDGET,
)
"""The kinds that we apply and delete."""
WATCHED = (MODEL_DEPLOYMENT, *CHILDREN, POD, ENDPOINT_SLICE)
"""The kinds whose events wake us."""
REFERENCED = (CONFIG_MAP, HTTP_ROUTE)
"""The kinds of which specs name users' own: they are watched without a selector."""
BY_NAME = {kind.name: kind for kind in WATCHED}
"""The same by the manifest's `kind`."""
