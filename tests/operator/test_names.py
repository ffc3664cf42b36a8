"""Foreign objects that have the names of children, on a real API server."""

import json
from functools import partial
from typing import Any

import pytest

from halimede.adapters.kinds import BY_NAME
from halimede.api.base import Manifest
from localcluster.cluster import Cluster
from tests.operator.conftest import Process, Start, model
from tests.operator.reading import CHILDREN, NUMBER, OURS, condition, has_passed, passes
from tests.operator.ready_pods import create_ready_pod
from tests.support.waiting import wait_until

SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "klima"},
    "spec": {"selector": {"app": "alt"}, "ports": [{"port": 80}]},
}
BACKEND = {"service": {"name": "alt", "port": {"number": 80}}}
INGRESS: Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "klima"},
    "spec": {"defaultBackend": BACKEND},
}
BALANCED = SERVICE | {"spec": {**SERVICE["spec"], "type": "LoadBalancer"}}
PUBLIC = {"type": "Ingress", "ingress": {"host": "klima.example.com", "tlsSecretName": "klima"}}


class Namespace:
    """A namespace of the API server."""

    def __init__(self, api_server: Cluster, name: str) -> None:
        """Use a namespace that exists."""
        self.api_server, self.name = api_server, name

    def apply(self, manifest: Manifest) -> None:
        """Apply an object as a user."""
        self.kubectl("apply", "--filename=-", text=json.dumps(manifest))

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.api_server.kubectl(f"--namespace={self.name}", *arguments, input=text)

    def get(self, kind: str, name: str) -> Manifest:
        """Return an object."""
        live: Manifest = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return live

    def names(self, *kinds: str) -> set[str]:
        """Return the names of all objects of these kinds, which a selector may follow."""
        return set(self.kubectl("get", *kinds, "--output=name").split())

    def ready(self, name: str) -> tuple[str, str, str]:
        """Return status, reason and message of Ready."""
        return condition(self.api_server, self.name, "Ready", name)

    def wait_for(self, name: str, reason: str) -> str:
        """Wait until Ready has a reason; return its message."""
        found = wait_until(lambda: self.ready(name), lambda ready: ready[1] == reason)
        return found[2]

    def target(self, name: str, *, after: str = "") -> str:
        """Wait for a target other than *after*; return its revision."""
        path = "--output=jsonpath={.status.target.revision}"
        return wait_until(
            lambda: self.kubectl("get", "mdeploy", name, path),
            lambda revision: revision not in ("", after),
        )

    def assert_at_rest(self, process: Process, name: str) -> None:
        """Assert that reconciles of a ModelDeployment send no write of a child."""
        before = self.writes_of_children()
        for number in range(3):
            done = passes(process)
            self.kubectl("annotate", "mdeploy", name, "--overwrite", f"edit={number}")
            wait_until(partial(has_passed, process, done))
        assert self.writes_of_children() == before

    def writes_of_children(self) -> list[tuple[str, str, str]]:
        """Return the operator's writes of children, also rejected ones: verb, kind and name."""
        events = map(json.loads, self.api_server.audit_log.read_text().splitlines())
        writes = (
            event
            for event in events
            if event["userAgent"].startswith("halimede/")
            and event["verb"] not in {"get", "list", "watch"}
        )
        return [
            (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("name", ""))
            for event in writes
            if event["objectRef"].get("namespace") == self.name
            and event["objectRef"]["resource"] not in {"modeldeployments", "events"}
        ]


@pytest.fixture
def here(api_server: Cluster, namespace: str) -> Namespace:
    """Return the test's namespace."""
    return Namespace(api_server, namespace)


def unchanged(live: Manifest, before: Manifest) -> bool:
    """Whether an object is as its owner wrote it."""
    fields = ("uid", "labels", "annotations", "ownerReferences")
    own = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    return (
        live["spec"] == before["spec"]
        and all(live["metadata"].get(field) == before["metadata"].get(field) for field in fields)
        and not any(manager.startswith("halimede") for manager in own)
    )


def managed(here: Namespace, kind: str, name: str) -> Manifest:
    """Return an object with its managed fields."""
    shown = here.kubectl("get", kind, name, "--output=json", "--show-managed-fields")
    live: Manifest = json.loads(shown)
    return live


@pytest.mark.parametrize(
    ("theirs", "expose"),
    [
        pytest.param(SERVICE, {"type": "Service"}, id="Service"),
        pytest.param(BALANCED, PUBLIC, id="LoadBalancer behind an Ingress"),
        pytest.param(INGRESS, PUBLIC, id="Ingress"),
    ],
)
def test_an_object_of_the_user_is_left_alone(
    here: Namespace, start: Start, theirs: Manifest, expose: dict[str, Any]
) -> None:
    """It is named with the cure, never changed, outlives the model, and its name is used later."""
    kind = theirs["kind"]
    here.apply(theirs)
    before = managed(here, kind, "klima")
    process = start()
    here.apply(model("klima", here.name, expose=expose))
    message = here.wait_for("klima", "NameTaken")
    assert f"{kind} klima exists and has no owner (created by kubectl" in message
    assert "delete or rename it, or use another name for this ModelDeployment" in message
    revision = here.target("klima")
    wait_until(lambda: f"deployment.apps/klima-{revision}" in here.names("deployment"))
    here.assert_at_rest(process, "klima")
    rejected = ("patch", BY_NAME[kind].plural, "klima")
    assert here.writes_of_children().count(rejected) == 1
    assert unchanged(managed(here, kind, "klima"), before)
    # Neither does an Ingress of ours lead to the Service.
    ours = here.names("ingress") - {"ingress.networking.k8s.io/klima"}
    assert ours == (set() if kind == "Service" else {"ingress.networking.k8s.io/klima-grpc"})
    events = json.loads(
        here.kubectl("get", "events", "--output=json", "--field-selector=reason=NameTaken")
    )["items"]
    assert [event["type"] for event in events] == ["Warning"]
    here.kubectl("delete", "mdeploy", "klima", "--timeout=180s")
    wait_until(lambda: here.names("deployment") == set())
    assert unchanged(managed(here, kind, "klima"), before)
    here.apply(model("klima", here.name, expose=expose))
    here.wait_for("klima", "NameTaken")
    here.kubectl("delete", kind, "klima")
    here.wait_for("klima", "Deploying")
    owner = here.get(kind, "klima")["metadata"]["ownerReferences"][0]
    assert owner["uid"] == here.get("mdeploy", "klima")["metadata"]["uid"]


def blue_green(here: Namespace, **changes: Any) -> Manifest:
    """Return a blue-green model with a preview that waits for a promotion."""
    rollout = {
        "strategy": "BlueGreen",
        "blueGreen": {"autoPromote": False},
        "analysis": {"provider": "None"},
    }
    return model("bert", here.name, rollout=rollout, **changes)


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("later", ["bert", "bert-preview"])
def test_two_models_do_not_fight_for_a_preview(here: Namespace, start: Start, later: str) -> None:
    """The later one says whose the Service is, and nobody writes it again."""
    process = start()
    here.apply(blue_green(here))
    first = here.target("bert")
    create_ready_pod(here.api_server, here.name, "bert", first, "10.9.1.1")
    here.wait_for("bert", "Serving")
    if later == "bert":
        here.apply(model("bert-preview", here.name))
        here.wait_for("bert-preview", "Deploying")
    here.apply(
        blue_green(here, runtime={"version": "26.09", "image": "registry.example/triton:2"})
    )
    second = here.target("bert", after=first)
    create_ready_pod(here.api_server, here.name, "bert", second, "10.9.1.2")
    if later == "bert-preview":
        here.wait_for("bert", "Paused")
        here.apply(model("bert-preview", here.name))
    message = here.wait_for(later, "NameTaken")
    other = "bert" if later == "bert-preview" else "bert-preview"
    assert f"Service bert-preview belongs to ModelDeployment {other}" in message
    here.assert_at_rest(process, "bert")
    here.assert_at_rest(process, "bert-preview")
    selector = here.get("service", "bert-preview")["spec"]["selector"]
    assert selector["halimede.dev/name"] == other
    assert here.get("service", "bert")["spec"]["selector"]["halimede.dev/revision"] == first


def test_a_model_with_the_name_of_a_route_for_grpc(here: Namespace, start: Start) -> None:
    """The Ingress for gRPC stays that of the first model."""
    process = start()
    here.apply(model("bert", here.name, expose=PUBLIC))
    wait_until(lambda: "ingress.networking.k8s.io/bert-grpc" in here.names("ingress"))
    here.apply(model("bert-grpc", here.name, expose=PUBLIC))
    message = here.wait_for("bert-grpc", "NameTaken")
    assert "Ingress bert-grpc belongs to ModelDeployment bert;" in message
    here.assert_at_rest(process, "bert")
    here.assert_at_rest(process, "bert-grpc")
    assert here.get("ingress", "bert-grpc")["metadata"]["labels"]["halimede.dev/name"] == "bert"


def test_a_model_with_the_name_of_a_revision(here: Namespace, start: Start) -> None:
    """It waits until the other model is deleted, and then goes on by itself."""
    start()
    here.apply(model("bert", here.name))
    later = f"bert-{here.target('bert')}"
    wait_until(lambda: f"service/{later}" in here.names("service"))
    here.apply(model(later, here.name))
    assert f"Service {later} belongs to ModelDeployment bert;" in here.wait_for(later, "NameTaken")
    here.kubectl("delete", "mdeploy", "bert", "--timeout=180s")
    here.wait_for(later, "Deploying")
    assert here.get("service", later)["metadata"]["labels"]["halimede.dev/name"] == later


def test_a_model_that_is_created_again_at_once(here: Namespace, start: Start) -> None:
    """Its children replace those that the garbage collector deletes."""
    start()
    here.apply(model("m", here.name))
    here.target("m")
    wait_until(lambda: len(here.names("service")) == 2)
    here.kubectl("delete", "mdeploy", "m")
    here.apply(model("m", here.name))
    uid = here.get("mdeploy", "m")["metadata"]["uid"]

    def owners() -> list[str]:
        listed = json.loads(here.kubectl("get", CHILDREN, OURS, "--output=json"))
        return [item["metadata"]["ownerReferences"][0]["uid"] for item in listed["items"]]

    wait_until(owners, lambda found: found == [uid] * NUMBER)
    here.wait_for("m", "Deploying")


def test_orphans_can_be_handed_over(here: Namespace, start: Start) -> None:
    """Children that an earlier model left behind are used once they have the owner reference."""
    start()
    kinds = (CHILDREN, OURS)
    here.apply(model("m", here.name))
    wait_until(lambda: here.names(*kinds), complete)
    here.kubectl("delete", "mdeploy", "m", "--cascade=orphan")
    here.apply(model("m", here.name))
    assert "exists and has no owner (created by halimede)" in here.wait_for("m", "NameTaken")
    orphans = here.names(*kinds)
    assert complete(orphans)
    owner = {
        "apiVersion": "halimede.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "m",
        "uid": here.get("mdeploy", "m")["metadata"]["uid"],
    }
    patch = f"metadata: {{ownerReferences: [{json.dumps(owner)}]}}"
    for orphan in orphans:
        here.kubectl("patch", orphan, "--type=merge", f"--patch={patch}")
    here.wait_for("m", "Deploying")
    assert here.names(*kinds) == orphans


def complete(found: set[str]) -> bool:
    """Whether these are all children of a small model."""
    return len(found) == NUMBER
