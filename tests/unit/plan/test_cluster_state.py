"""The facts read from live objects."""

from dataclasses import replace

import pytest

from halimede.api.base import Manifest
from halimede.api.reasons import NotReadyReason
from halimede.plan.cluster_state import summarise, with_remedy
from halimede.plan.pod_problems import PodProblem
from halimede.plan.renderer import Renderer
from harness.fake_cluster import FakeCluster

NAME = "digits-0123abcd"


def deployment(replicas: int = 2, *conditions: Manifest) -> Manifest:
    """Return a revision's Deployment."""
    return {
        "kind": "Deployment",
        "metadata": {"name": NAME, "labels": {"halimede.dev/revision": "0123abcd"}},
        "spec": {"replicas": replicas},
        "status": {"conditions": list(conditions)},
    }


READY, UNREADY, UNTOLD = ({"ready": True}, {"ready": False}, {})


def endpoints(service: str, *conditions: Manifest) -> Manifest:
    """Return an EndpointSlice of endpoints with these conditions."""
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}},
        "endpoints": [
            {
                "addresses": [f"10.0.0.{number}"],
                "conditions": state,
                "targetRef": {"name": f"p{number}"},
            }
            for number, state in enumerate(conditions)
        ],
    }


def workload(
    *slices: Manifest, live: Manifest | None = None, **changes: object
) -> tuple[int, int]:
    """A workload has a Deployment's desired replicas and its slices' ready endpoints."""
    cluster = FakeCluster()
    cluster.spec.update(changes)
    observed = cluster.observe()
    seen = type(observed)(
        deployment=observed.deployment,
        children=(live or deployment(),),
        pods=(),
        endpoint_slices=slices,
        inputs={},
        routes={},
        reading=None,
        apply_errors={},
    )
    result = summarise(seen, Renderer(), (), ()).workload("0123abcd")
    return result.desired, result.ready_endpoints


def test_ready_endpoints() -> None:
    """An endpoint is ready if its condition is true or absent."""
    assert workload(endpoints(NAME, READY, UNREADY, UNTOLD)) == (2, 2)


def test_endpoints_of_other_services_do_not_count() -> None:
    """The entry Service's endpoints do not count for a revision."""
    assert workload(endpoints("digits", READY, READY), endpoints(NAME, READY)) == (2, 1)


def test_pod_with_two_addresses_counts_once() -> None:
    """Each address family has its own slice, and a pod counts once."""
    assert workload(endpoints(NAME, READY), endpoints(NAME, READY)) == (2, 1)


def test_rejected_pods_are_reported() -> None:
    """Pods rejected by a quota are reported from the Deployment's conditions."""
    rejected = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpus"}
    cluster = FakeCluster()
    observed = cluster.observe()
    seen = type(observed)(
        deployment=observed.deployment,
        children=(deployment(2, rejected),),
        pods=(),
        endpoint_slices=(),
        inputs={},
        routes={},
        reading=None,
        apply_errors={},
    )
    result = summarise(seen, Renderer(), (), ()).workload("0123abcd")
    assert (result.cause, result.message) == (NotReadyReason.QUOTA, "exceeded quota: gpus")


def test_unknown_revision_is_an_empty_workload() -> None:
    """A revision without a Deployment has no pods."""
    assert (
        summarise(FakeCluster().observe(), Renderer(), (), ()).workload("ffffffff").exists is False
    )


def test_pods_that_hold_resources() -> None:
    """Terminating pods still hold a GPU; terminated ones hold nothing."""
    labels = {"halimede.dev/revision": "0123abcd"}
    pods = [
        {"metadata": {"name": name, "labels": labels, **more}, "status": {"phase": phase}}
        for name, phase, more in (
            ("runs", "Running", {}),
            ("ends", "Running", {"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            ("evicted", "Failed", {}),
            ("done", "Succeeded", {}),
        )
    ]
    observed = replace(FakeCluster().observe(), children=(deployment(),), pods=tuple(pods))
    assert summarise(observed, Renderer(), (), ()).workload("0123abcd").pods == 2


def test_ended_pods_say_nothing() -> None:
    """Given a pod that was evicted after crashes, its successor's problem is reported."""
    labels = {"halimede.dev/revision": "0123abcd"}
    ended = {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}
    lacking = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
    evicted = {
        "phase": "Failed",
        "reason": "Evicted",
        "containerStatuses": [{"name": "triton", "state": ended, "restartCount": 5}],
    }
    pods = (
        {"metadata": {"name": "evicted", "labels": labels}, "status": evicted},
        {
            "metadata": {"name": "successor", "labels": labels},
            "status": {"phase": "Pending", "conditions": [lacking]},
        },
    )
    observed = replace(FakeCluster().observe(), children=(deployment(),), pods=pods)
    result = summarise(observed, Renderer(), (), ()).workload("0123abcd")
    assert (result.cause, result.restarts) == (NotReadyReason.UNSCHEDULABLE, 0)


def test_ended_pods_of_other_revisions_do_not_count() -> None:
    """Given a rollout, evicted pods of a third revision hold no resources."""
    others = [
        {
            "metadata": {"name": phase, "labels": {"halimede.dev/revision": "other"}},
            "status": {"phase": phase},
        }
        for phase in ("Running", "Failed")
    ]
    cluster = FakeCluster()
    cluster.until(cluster.ready)
    cluster.model(2).until(lambda: cluster.rollout is not None)
    observed = cluster.observe()
    before = summarise(observed, Renderer(), (), ()).others
    observed = replace(observed, pods=(*observed.pods, *others))
    assert summarise(observed, Renderer(), (), ()).others == before + 1


@pytest.mark.parametrize(
    ("uri", "keys"),
    [
        ("https://h/m.onnx", ["--from-literal=token=…"]),
        (
            "s3://b/m.onnx",
            ["--from-literal=AWS_ACCESS_KEY_ID=…", "--from-literal=AWS_SECRET_ACCESS_KEY=…"],
        ),
        ("gs://b/m.onnx", ["--from-file=key.json"]),
        ("hf://org/repo", ["--from-literal=HF_TOKEN=…"]),
    ],
)
def test_a_missing_secret_is_named_with_the_keys_that_its_source_needs(
    uri: str, keys: list[str]
) -> None:
    """The message has the command that creates the Secret."""
    md = FakeCluster().observe().deployment
    model = md.spec.model.evolve(storage_uri=uri, secret_name="keys")
    found = PodProblem(NotReadyReason.MISSING_SECRET, "spec.model.secretName is missing")
    remedy = with_remedy(md.evolve(spec=md.spec.evolve(model=model)), found)
    assert [word for word in remedy.split() if word.startswith("--from-")] == keys


def test_a_missing_account_is_named_with_its_remedy() -> None:
    """Kubernetes creates no pod without it; of another name, the message stays as it is."""
    message = (
        'pods "digits-0123abcd-" is forbidden: error looking up service account ml/models:'
        ' serviceaccount "models" not found'
    )
    md = FakeCluster().observe().deployment
    found = PodProblem(NotReadyReason.INVALID_POD, message)
    named = md.evolve(spec=md.spec.evolve(service_account_name="models"))
    assert with_remedy(named, found) == (
        f"spec.serviceAccountName: {message}. Create it: kubectl --namespace ml create"
        " serviceaccount models"
    )
    assert with_remedy(md, found) == message


def test_a_missing_claim_of_the_cache_names_the_field() -> None:
    """The scheduler says which claim is missing; the remedy says where it is named."""
    message = '0/3 nodes are available: persistentvolumeclaim "models" not found.'
    cluster = FakeCluster()
    found = PodProblem(NotReadyReason.UNSCHEDULABLE, message)
    assert with_remedy(cluster.deployment, found) == message
    volume = {"claimName": "models"}
    cluster.spec["model"]["supply"] = {"cache": {"kind": "Volume", "volume": volume}}
    assert with_remedy(cluster.deployment, found) == (
        f"spec.model.supply.cache.volume.claimName: {message} Create the PersistentVolumeClaim in"
        " the namespace ml, or correct the name"
    )
