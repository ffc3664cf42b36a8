"""The kinds of objects that Halimede uses, and their API paths."""

from dataclasses import dataclass

from halimede.api import v1alpha1
from halimede.api.base import Manifest
from halimede.render.names import MANAGER

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = f"{MANAGED_BY}={MANAGER}"
"""The label selector of all objects that we create, and of their pods and EndpointSlices."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind, in the version that we use."""

    name: str
    """The `kind` in a manifest."""
    api_version: str
    """The `apiVersion` in a manifest."""
    plural: str
    """The name in URL paths and in RBAC rules."""
    selector: str | None = OURS
    """The label selector of our watch; None: all objects of the kind."""

    tracks_managers: bool = False
    """Whether other clients write our objects too, so that the field managers matter."""

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]

    def selects(self, manifest: Manifest) -> bool:
        """Return whether the selector matches *manifest*."""
        labels = manifest["metadata"].get("labels") or {}
        return self.selector is None or labels.get(MANAGED_BY) == MANAGER

    def path(
        self, namespace: str | None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Return the URL path of a collection (without *name*) or of one object.

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
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
JOB = Kind("Job", "batch/v1", "jobs")
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
    NETWORK_POLICY,
    JOB,
)
"""The kinds that we apply and delete."""
WATCHED = (MODEL_DEPLOYMENT, *CHILDREN, POD, ENDPOINT_SLICE)
"""The kinds that we watch."""
REFERENCED = (CONFIG_MAP, HTTP_ROUTE)
"""The kinds of users' own objects that specs reference. They are watched without a selector, and
by their metadata only: their number and size are not ours to choose. The content is read by name.
"""
BY_NAME = {kind.name: kind for kind in WATCHED}
"""The watched kinds by the manifest's `kind`."""
