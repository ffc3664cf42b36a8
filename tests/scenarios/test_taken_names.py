"""Foreign objects that have the names of children are not changed, and nothing leads to them."""

import copy

import pytest

from halimede.api.base import Manifest
from halimede.api.status import State
from harness.fake_cluster import UID, FakeCluster
from harness.fake_spec import GATEWAY, SPEC
from tests.support.ingress_cluster import serving
from tests.support.user_route import RoutedCluster, user_route

SERVICE: Manifest = {"type": "Service"}
INGRESS: Manifest = {
    "type": "Ingress",
    "ingress": {"host": "digits.example.com", "tlsSecretName": "digits"},
}
NOT_READY = ("False", "NameTaken")


def exposed(expose: Manifest) -> FakeCluster:
    """Return a cluster that is empty, for a model without analysis."""
    cluster = FakeCluster(spec=copy.deepcopy(SPEC))
    cluster.spec["expose"] = copy.deepcopy(expose)
    cluster.spec["rollout"]["analysis"]["provider"] = "None"
    return cluster


def revision_of(expose: Manifest) -> str:
    """Return the first revision of a model with this exposure."""
    target = exposed(expose).run(1).parsed.target
    assert target is not None
    return target.revision


def names(cluster: FakeCluster, kind: str) -> set[str]:
    """Return the names of all objects of a kind."""
    return {name for one, name in cluster.objects if one == kind}


def replace(cluster: FakeCluster, kind: str, name: str) -> Manifest:
    """Delete a child, and create a foreign object with its name before it is noticed."""
    del cluster.objects[kind, name]
    return cluster.occupy(kind, name)


def is_untouched(cluster: FakeCluster, theirs: Manifest, copied: Manifest) -> bool:
    """Whether an object is still there as it was."""
    key = theirs["kind"], theirs["metadata"]["name"]
    return cluster.objects.get(key) is theirs and theirs == copied


CHILDREN = [
    (GATEWAY, "Service", "digits", "True"),
    (GATEWAY, "HTTPRoute", "digits", "False"),
    (GATEWAY, "PodDisruptionBudget", "digits", "True"),
    (SERVICE, "Service", "digits", "False"),
    (INGRESS, "Service", "digits", "False"),
    (INGRESS, "Ingress", "digits", "False"),
    (INGRESS, "Ingress", "digits-grpc", "False"),
]


@pytest.mark.transition("name-taken")
@pytest.mark.parametrize(("expose", "kind", "name", "available"), CHILDREN)
def test_an_object_of_others_is_reported_and_kept(
    expose: Manifest, kind: str, name: str, available: str
) -> None:
    """Given it from the start, the rest runs, and its name is used as soon as it is free."""
    cluster = exposed(expose)
    theirs = cluster.occupy(kind, name)
    copied = copy.deepcopy(theirs)
    cluster.run(120)
    assert cluster.condition("Ready") == NOT_READY
    assert cluster.condition("Stalled") == ("True", "NameTaken")
    available_reason = "Serving" if available == "True" else "NameTaken"
    assert cluster.condition("Available") == (available, available_reason)
    assert cluster.message("Ready") == (
        f"metadata.name: {kind} {name} exists and has no owner (created by kubectl-create);"
        " delete or rename it, or use another name for this ModelDeployment."
    )
    assert len(cluster.pods) == 2
    written = len(cluster.writes)
    cluster.run(900)
    assert len(cluster.writes) == written
    assert cluster.conflicts == [(kind, name)]
    assert cluster.reasons.count("NameTaken") == 1
    assert is_untouched(cluster, theirs, copied)
    del cluster.objects[kind, name]
    cluster.until(cluster.ready, 60)
    assert cluster.objects[kind, name]["metadata"]["ownerReferences"][0]["uid"] == UID
    assert cluster.condition("Stalled") is None


@pytest.mark.transition("name-taken")
@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "Deployment"])
def test_a_revision_does_not_use_the_objects_of_others(kind: str) -> None:
    """Given an object with the name of a revision's, no pod mounts it, and nothing scales it."""
    cluster = exposed(GATEWAY)
    cluster.spec.pop("replicas")
    cluster.spec |= {"autoscaling": {"maxReplicas": 3}, "resources": {"requests": {"cpu": "1"}}}
    target = FakeCluster(spec=copy.deepcopy(cluster.spec)).run(1).parsed.target
    assert target is not None
    theirs = cluster.occupy(kind, f"digits-{target.revision}")
    copied = copy.deepcopy(theirs)
    cluster.run(300)
    assert cluster.condition("Ready") == NOT_READY
    assert f"{kind} digits-{target.revision} exists" in cluster.message("Ready")
    ours = {
        one
        for one, _ in cluster.objects
        if one in ("Deployment", "HorizontalPodAutoscaler", "HTTPRoute")
    }
    expected = {
        "ConfigMap": {"HTTPRoute"},
        "Service": {"Deployment", "HorizontalPodAutoscaler"},
        "Deployment": {"Deployment", "HTTPRoute"},
    }
    assert ours == expected[kind]
    assert is_untouched(cluster, theirs, copied)
    del cluster.objects[kind, f"digits-{target.revision}"]
    cluster.until(cluster.ready, 60)


def test_no_ingress_leads_to_a_service_of_others() -> None:
    """Given the entry Service of others, no Ingress of ours exists."""
    cluster = exposed(INGRESS)
    cluster.occupy("Service", "digits")
    cluster.run(300)
    assert names(cluster, "Ingress") == set()


@pytest.mark.transition("name-taken")
def test_no_canary_takes_requests_from_an_ingress_of_others() -> None:
    """Given a main Ingress of others, no canary Ingress appears, also if the model changes."""
    cluster = serving(INGRESS)
    replace(cluster, "Ingress", "digits")
    cluster.model(2).run(600)
    assert cluster.condition("Ready") == NOT_READY
    assert names(cluster, "Ingress") == {"digits", "digits-grpc"}
    del cluster.objects["Ingress", "digits"]
    cluster.until(cluster.ready)


@pytest.mark.transition("name-taken")
def test_a_preview_that_another_model_has_holds_the_rollout(cluster: FakeCluster) -> None:
    """Given the preview's name is taken, the rollout waits without a deadline, then goes on."""
    owner = {"kind": "ModelDeployment", "name": "digits-preview", "uid": "uid-other"}
    theirs = cluster.occupy("Service", "digits-preview", ownerReferences=[owner])
    cluster.edit(lambda spec: spec["rollout"].update(strategy="BlueGreen"))
    stable = cluster.stable
    cluster.model(2).until(lambda: cluster.state is State.AWAITING_PROMOTION)
    cluster.run(4000)
    assert cluster.state is State.AWAITING_PROMOTION
    message = "Service digits-preview belongs to ModelDeployment digits-preview"
    assert message in cluster.message("Ready")
    assert cluster.objects["Service", "digits-preview"] is theirs
    cluster.command("promote@1").run(60)
    assert cluster.weights[-1][stable or ""] == 100
    del cluster.objects["Service", "digits-preview"]
    cluster.until(cluster.ready)
    assert (cluster.stable == stable, cluster.lost) == (False, 0.0)


@pytest.mark.transition("name-taken", "abort-command")
@pytest.mark.parametrize("expose", [GATEWAY, INGRESS], ids=["Gateway", "Ingress"])
def test_an_abort_goes_on_while_a_name_is_taken(expose: Manifest) -> None:
    """Given the entry Service was replaced in mid-canary, the requests still go back."""
    cluster = serving(expose)
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    theirs = replace(cluster, "Service", "digits")
    copied = copy.deepcopy(theirs)
    cluster.run(60)
    assert cluster.condition("Ready") == NOT_READY
    cluster.command("abort@1").run(120)
    if expose is GATEWAY:
        assert cluster.weights[-1][cluster.stable or ""] == 100
    assert not any(name.endswith("-canary") for name in names(cluster, "Ingress"))
    assert is_untouched(cluster, theirs, copied)


def test_the_old_route_serves_until_the_new_one_can_be_written() -> None:
    """Given a switch from an Ingress to an HTTPRoute whose name is taken, the Ingress stays."""
    cluster = serving(INGRESS)
    cluster.occupy("HTTPRoute", "digits")
    cluster.edit(lambda spec: spec.update(expose=copy.deepcopy(GATEWAY))).run(120)
    assert cluster.condition("Ready") == NOT_READY
    assert names(cluster, "Ingress") == {"digits", "digits-grpc"}
    del cluster.objects["HTTPRoute", "digits"]
    cluster.until(cluster.ready)
    assert names(cluster, "Ingress") == set()


def test_a_child_that_was_replaced_is_not_taken_over(cluster: FakeCluster) -> None:
    """Given a child of which another object has the name now, that is kept, also at deletion."""
    theirs = replace(cluster, "Service", "digits")
    copied = copy.deepcopy(theirs)
    cluster.model(2).run(600)
    assert cluster.condition("Ready") == NOT_READY
    assert is_untouched(cluster, theirs, copied)
    # Requests by the HTTPRoute need no entry Service.
    assert cluster.condition("Available") == ("True", "Serving")
    assert cluster.lost == 0.0


def test_a_route_of_the_user_leads_to_the_users_service() -> None:
    """Given a Service of the user's behind the user's route, the route is not changed."""
    cluster = RoutedCluster()
    cluster.occupy("Service", "digits")
    cluster.run(600)
    assert cluster.condition("Ready") == NOT_READY
    assert cluster.condition("Available") == ("False", "NameTaken")
    assert (cluster.log, cluster.routes["shop"]["spec"]) == ([], user_route()["spec"])
    del cluster.objects["Service", "digits"]
    cluster.until(cluster.ready)
    assert cluster.backends() == {cluster.stable: 100}


def test_a_route_of_the_user_that_names_revisions_serves_on() -> None:
    """Given the entry Service is replaced later, the user's route still gets its weights."""
    cluster = RoutedCluster()
    cluster.until(cluster.ready)
    cluster.run(60)
    cluster.model(2).until(lambda: cluster.state is State.ANALYSING)
    replace(cluster, "Service", "digits")
    cluster.run(60)
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.command("abort@1").run(60)
    assert [one for one, weight in cluster.backends().items() if weight] == [cluster.stable]
    del cluster.objects["Service", "digits"]
    cluster.until(lambda: cluster.rollout is None)


def test_leftovers_of_a_deleted_model_need_no_help() -> None:
    """Given a child of an earlier ModelDeployment, the garbage collector is awaited."""
    owner = {"kind": "ModelDeployment", "name": "digits", "uid": "uid-before"}
    cluster = exposed(GATEWAY)
    cluster.occupy("Service", "digits", ownerReferences=[owner])
    cluster.run(10)
    assert cluster.condition("Ready") == NOT_READY
    assert (cluster.condition("Stalled"), cluster.condition("Reconciling")) == (
        None,
        ("True", "NameTaken"),
    )
    assert cluster.message("Ready") == (
        "metadata.name: Service digits belongs to a deleted ModelDeployment of this name; wait"
        " until the garbage collector has deleted it."
    )


def test_many_objects_fit_into_the_message() -> None:
    """Given more objects than a message has room for, the cure is not cut off."""
    cluster = exposed(INGRESS)
    cluster.spec["replicas"] = 0
    owner = {"kind": "Application", "name": "x" * 60, "uid": "uid-other", "controller": True}
    for kind, name in (
        ("Service", "digits"),
        ("PodDisruptionBudget", "digits"),
        ("ConfigMap", f"digits-{revision_of(INGRESS)}"),
        ("Service", f"digits-{revision_of(INGRESS)}"),
    ):
        cluster.occupy(kind, name, ownerReferences=[owner])
    cluster.run(120)
    message = cluster.message("Ready")
    assert len(message) <= 300
    cure = "; delete or rename them, or use another name for this ModelDeployment."
    named = message.count("belongs to Application")
    assert 0 < named < 4
    assert message.endswith(f", and {4 - named} more{cure}")


def test_a_name_that_is_not_needed_any_more_is_forgotten() -> None:
    """Given a spec that needs no route, the route of others is not mentioned any more."""
    cluster = exposed(GATEWAY)
    cluster.occupy("HTTPRoute", "digits")
    cluster.run(120)
    assert cluster.condition("Ready") == NOT_READY
    cluster.edit(lambda spec: spec.update(expose=SERVICE))
    cluster.until(cluster.ready, 60)
    assert ("HTTPRoute", "digits") in cluster.objects
