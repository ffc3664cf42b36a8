"""The digest of a model is determined before it becomes a revision, and pods serve no other."""

import copy
from dataclasses import replace

import pytest

from halimede.api.base import Manifest
from halimede.api.exit_codes import NO_SECRET, TRY_AGAIN
from halimede.api.status import Outcome, State
from halimede.plan import source_resolution
from halimede.plan.foreign import NAME_TAKEN_REQUEUE_SECONDS
from halimede.plan.planner import decide
from halimede.plan.status_limits import MAX_MESSAGE_LENGTH
from harness.fake_behaviour import Behaviour, digest_of, failing_fetcher
from harness.fake_cluster import FakeCluster
from harness.fake_spec import SPEC

FIRST = SPEC["model"]["storageUri"]
BROKEN = Behaviour(resolver=failing_fetcher(1, "the archive leads out of its folder"))
NEVER = Behaviour(resolve_seconds=1e9)


def unresolved_spec() -> Manifest:
    """Return a spec without a digest."""
    spec = copy.deepcopy(SPEC)
    del spec["model"]["sha256"]
    return spec


def jobs(cluster: FakeCluster) -> list[str]:
    """Return the names of the Jobs that exist."""
    return [name for kind, name in cluster.objects if kind == "Job"]


def expected_digests(cluster: FakeCluster) -> list[str]:
    """Return the digest that the pods of each Deployment verify."""
    found = []
    for (kind, _), live in cluster.objects.items():
        if kind == "Deployment":
            args = live["spec"]["template"]["spec"]["initContainers"][0]["args"]
            found += [args[at + 1] for at, arg in enumerate(args) if arg == "--sha256"]
    return found


@pytest.fixture
def cluster() -> FakeCluster:
    """Make a cluster in which a first model serves whose digest had to be determined."""
    served = FakeCluster(spec=unresolved_spec())
    served.until(served.ready)
    served.run(120)
    served.lost = 0.0
    return served


@pytest.mark.transition("source-unresolved")
def test_first_model_has_no_revision_before_its_digest() -> None:
    """Given a first model, a Job comes first; its digest is in the revision and in the status."""
    cluster = FakeCluster(spec=unresolved_spec())
    cluster.settle()
    assert {kind for kind, _ in cluster.objects} == {"Job"}
    assert cluster.condition("Ready") == ("Unknown", "ResolvingModel")
    assert cluster.parsed.target is None
    cluster.until(cluster.ready)
    assert expected_digests(cluster) == [digest_of(FIRST)]
    assert cluster.parsed.model is not None
    assert (cluster.parsed.model.digest, jobs(cluster)) == (digest_of(FIRST), [])


@pytest.mark.transition("source-unresolved")
def test_stable_serves_until_the_digest_is_known(cluster: FakeCluster) -> None:
    """Given another model, no weight moves before its digest is known, and then it rolls out."""
    before, stable = list(cluster.weights), cluster.stable
    cluster.model(2, Behaviour(resolve_seconds=300.0)).run(280)
    assert (cluster.state, cluster.stable, cluster.weights) == (None, stable, before)
    assert cluster.condition("Ready") == ("Unknown", "ResolvingModel")
    assert cluster.condition("Available") == ("True", "Serving")
    cluster.until(cluster.ready)
    assert (cluster.stable != stable, cluster.lost) == (True, 0.0)


def test_same_files_at_another_address_are_no_other_model(cluster: FakeCluster) -> None:
    """Given the files of the stable revision at another address, their digest is that revision's.

    The address is part of the pod, so the revision differs; its pods serve the same bytes.
    """
    cluster.model(2, Behaviour(content=FIRST)).until(cluster.ready)
    assert set(expected_digests(cluster)) == {digest_of(FIRST)}


def test_new_files_at_the_address_reach_no_pod(cluster: FakeCluster) -> None:
    """Given other files at the address, edits of other fields keep the digest of before."""
    cluster.behaviours[FIRST] = Behaviour(content="other files")
    cluster.edit(lambda spec: spec.update(replicas=5)).run(600)
    limits = {"limits": {"memory": "3Gi"}}
    cluster.edit(lambda spec: spec.update(resources=limits)).until(cluster.ready)
    assert set(expected_digests(cluster)) == {digest_of(FIRST)}


@pytest.mark.parametrize("revision", ["", "@main", "@refs/pr/1"])
def test_pods_fetch_the_commit_that_was_determined(cluster: FakeCluster, revision: str) -> None:
    """Given a branch of a model on a hub, a push does not concern the pods of the revision."""
    uri, commit = f"hf://org/repo{revision}/onnx", "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"
    cluster.behaviours[uri] = Behaviour(commit=commit)
    cluster.edit(lambda spec: spec["model"].update(storageUri=uri)).until(cluster.ready)
    assert cluster.parsed.model is not None
    assert cluster.parsed.model.commit == commit
    stable = next(
        live
        for (kind, name), live in cluster.objects.items()
        if kind == "Deployment" and name.endswith(str(cluster.stable))
    )
    args = stable["spec"]["template"]["spec"]["initContainers"][0]["args"]
    assert args[args.index("--source") + 1] == f"hf://org/repo@{commit}/onnx"


def test_another_mirror_may_have_other_files(cluster: FakeCluster) -> None:
    """Given another endpoint for the same address, the digest is determined again."""
    uri, first = "hf://org/repo", "https://one.example.com"
    cluster.edit(
        lambda spec: spec["model"].update(storageUri=uri, supply={"endpoint": first})
    ).until(cluster.ready)
    cluster.behaviours[uri] = Behaviour(content="other files")
    cluster.edit(
        lambda spec: spec["model"].update(supply={"endpoint": "https://two.example.com"})
    ).until(cluster.ready)
    assert digest_of("other files") in expected_digests(cluster)


def test_way_back_by_the_spec_reads_the_address_again(cluster: FakeCluster) -> None:
    """Given the address of before with other files, it is another revision, with a rollout."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.behaviours[FIRST] = Behaviour(content="other files")
    cluster.model(1).until(lambda: cluster.state is State.ANALYSING)
    assert cluster.rollout is not None
    assert cluster.rollout.revision != first
    assert digest_of("other files") in expected_digests(cluster)


@pytest.mark.transition("source-unresolved")
def test_failure_is_final_until_retry(cluster: FakeCluster) -> None:
    """Given files that cannot be fetched, the status says why, and only `retry` tries again."""
    stable = cluster.stable
    cluster.model(2, BROKEN).run(7200)
    assert (jobs(cluster), cluster.stable, cluster.lost) == ([], stable, 0.0)
    assert cluster.condition("Ready") == ("False", "ModelUnresolved")
    assert cluster.condition("Stalled") == ("True", "ModelUnresolved")
    assert "the archive leads out of its folder" in cluster.message("Ready")
    assert cluster.reasons.count("ModelUnresolved") == 1
    cluster.behaviours["https://models.example/digits/2"] = Behaviour()
    cluster.run(600)
    assert jobs(cluster) == []
    cluster.command("retry@1").until(cluster.ready)
    assert cluster.stable != stable


def test_first_model_that_cannot_be_fetched_is_tried_again() -> None:
    """Given a first model that cannot be fetched, `retry` tries again as well."""
    cluster = FakeCluster(spec=unresolved_spec(), behaviours={FIRST: BROKEN})
    cluster.until(lambda: cluster.condition("Ready") == ("False", "ModelUnresolved"))
    cluster.behaviours[FIRST] = Behaviour()
    cluster.command("retry@1").until(cluster.ready)


def test_corrected_spec_is_tried_at_once(cluster: FakeCluster) -> None:
    """Given a failure, a change of how the files are fetched starts another Job."""
    cluster.model(2, BROKEN)
    cluster.until(lambda: cluster.condition("Ready") == ("False", "ModelUnresolved"))
    cluster.behaviours["https://models.example/digits/2"] = Behaviour()
    cluster.edit(lambda spec: spec["model"].update(maxSize="20Gi")).until(cluster.ready)


@pytest.mark.transition("source-unresolved")
def test_abort_ends_the_job(cluster: FakeCluster) -> None:
    """Given a Job that runs, `abort` ends it, and `retry` starts it again."""
    cluster.model(2, NEVER).run(60)
    cluster.command("abort@1").run(600)
    assert (jobs(cluster), cluster.condition("Ready")) == ([], ("False", "ModelUnresolved"))
    assert "abort" in cluster.message("Ready")
    cluster.behaviours["https://models.example/digits/2"] = Behaviour()
    cluster.command("retry@2").until(cluster.ready)


def test_job_has_a_deadline(cluster: FakeCluster) -> None:
    """Given a Job that never ends, it fails after `fetchTimeoutSeconds`."""
    cluster.edit(lambda spec: spec["model"].update(fetchTimeoutSeconds=900))
    cluster.model(2, NEVER).run(890)
    assert cluster.condition("Ready") == ("Unknown", "ResolvingModel")
    cluster.run(20)
    assert cluster.condition("Ready") == ("False", "ModelUnresolved")
    assert "spec.model.fetchTimeoutSeconds (900 s)" in cluster.message("Ready")
    assert jobs(cluster) == []


@pytest.mark.transition("source-unresolved")
def test_canary_that_is_no_longer_asked_for_stops_at_once(cluster: FakeCluster) -> None:
    """Given a canary, another model stops it before the digest of that model is known."""
    stable = cluster.stable or ""
    cluster.model(2).until(lambda: cluster.weights[-1].get(stable) == 80)
    cluster.model(3, NEVER).run(120)
    assert cluster.weights[-1] == {stable: 100}
    last = cluster.parsed.last_rollout
    assert (cluster.state, last and last.outcome) == (None, Outcome.SUPERSEDED)
    cluster.behaviours["https://models.example/digits/3"] = Behaviour()
    cluster.until(cluster.ready)
    assert cluster.lost == 0.0


def test_only_the_spec_of_now_has_a_job(cluster: FakeCluster) -> None:
    """Given a Job for one model, a third model replaces it."""
    cluster.model(2, NEVER).run(60)
    (earlier,) = jobs(cluster)
    cluster.model(3, NEVER).run(60)
    (later,) = jobs(cluster)
    assert earlier != later


def test_rollback_does_not_wait_for_a_digest(cluster: FakeCluster) -> None:
    """Given a model without a digest, `rollback` leads to an earlier revision."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.model(3, NEVER).run(60)
    cluster.command("rollback@1").until(lambda: cluster.stable == first)
    assert cluster.lost == 0.0


@pytest.mark.parametrize(
    ("code", "ready", "message"),
    [
        (TRY_AGAIN, ("Unknown", "ResolvingModel"), "the server is busy"),
        (NO_SECRET, ("False", "MissingSecret"), "kubectl --namespace ml create secret"),
    ],
)
def test_fetcher_that_waits_does_not_fail(
    cluster: FakeCluster, code: int, ready: tuple[str, str], message: str
) -> None:
    """Given a busy server or a missing Secret, the Job goes on, and the status says why."""
    text = "spec.model.secretName" if code == NO_SECRET else "the server is busy"
    waiting = Behaviour(resolver=failing_fetcher(code, text, restarts=9, running=False))
    cluster.edit(lambda spec: spec["model"].update(secretName="models"))
    cluster.model(2, waiting).run(1200)
    assert (cluster.condition("Ready"), len(jobs(cluster))) == (ready, 1)
    assert message in cluster.message("Ready")


def test_killed_fetcher_fails_after_some_restarts(cluster: FakeCluster) -> None:
    """Given a fetcher that is killed again and again, the third restart is the last one."""
    uri = "https://models.example/digits/2"
    cluster.model(2, Behaviour(resolver=failing_fetcher(137, "", restarts=2))).run(600)
    assert len(jobs(cluster)) == 1
    cluster.behaviours[uri] = Behaviour(resolver=failing_fetcher(137, "", restarts=3))
    cluster.until(lambda: cluster.condition("Ready") == ("False", "ModelUnresolved"))
    assert "exit code 137" in cluster.message("Ready")


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Make a cluster whose revision is from an operator that determined no digests."""
    served = FakeCluster(spec=unresolved_spec())
    with monkeypatch.context() as earlier:
        earlier.setattr(source_resolution, "needs_resolving", lambda _: False)
        served.until(served.ready)
        served.run(120)
    return served


def test_upgrade_from_an_operator_that_resolved_nothing(upgraded: FakeCluster) -> None:
    """Given a revision without a digest, it serves on after an upgrade, until the spec changes."""
    stable, writes = upgraded.stable, len(upgraded.writes)
    upgraded.run(900)
    assert (upgraded.stable, len(upgraded.writes), upgraded.ready()) == (stable, writes, True)
    upgraded.model(2).until(upgraded.ready)
    assert digest_of("https://models.example/digits/2") in expected_digests(upgraded)


def test_lost_record_of_a_revision_without_a_digest(upgraded: FakeCluster) -> None:
    """Given a revision without a digest whose record is deleted, the record is written again."""
    stable = upgraded.stable
    del upgraded.objects["ConfigMap", f"digits-{stable}"]
    upgraded.run(60)
    assert ("ConfigMap", f"digits-{stable}") in upgraded.objects
    assert (upgraded.parsed.model, upgraded.stable, upgraded.ready()) == (None, stable, True)


def test_changed_record_of_a_revision_without_a_digest(upgraded: FakeCluster) -> None:
    """Given a revision without a digest whose record is changed, nothing is rolled out."""
    stable = upgraded.stable
    upgraded.tamper("ConfigMap", f"digits-{stable}")["data"]["config.pbtxt"] = "name: 'other'"
    upgraded.run(60)
    assert upgraded.condition("Ready") == ("False", "InvalidRecord")
    assert (upgraded.parsed.model, upgraded.rollout, jobs(upgraded)) == (None, None, [])


def test_pin_ends_when_the_digest_of_another_model_is_known(cluster: FakeCluster) -> None:
    """Given a pin, another model without a digest ends it like any other change of the spec."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.command("rollback@1").until(lambda: cluster.stable == first)
    cluster.model(3).until(cluster.ready)
    assert cluster.parsed.pinned is None
    assert expected_digests(cluster)[-1] == digest_of("https://models.example/digits/3")


def test_pin_without_a_digest_of_the_specs_model(cluster: FakeCluster) -> None:
    """Given a pin, the status says that the digest of another model cannot be determined."""
    first = cluster.stable
    cluster.model(2).until(cluster.ready)
    cluster.command("rollback@1").until(lambda: cluster.stable == first)
    cluster.model(3, BROKEN).run(120)
    assert cluster.condition("Ready") == ("False", "Pinned")
    message = cluster.message("Ready")
    assert "while the spec asks for a model whose digest is not known" in message
    assert "the archive leads out of its folder" in message


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("retry@1", "the digest of the model is being determined, and has not failed"),
        (
            "retry:0badcafe@1",
            "the spec asks for a model whose digest is not known yet, not for revision 0badcafe",
        ),
        ("pause@1", "no rollout is under way"),
        ("promote-full@1", "no rollout is under way"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_commands_that_mean_no_source(
    cluster: FakeCluster, command: str, why: str, *, first: bool
) -> None:
    """Given a Job that runs, commands that mean no source are rejected with the true reason."""
    if first:
        cluster = FakeCluster(spec=unresolved_spec(), behaviours={FIRST: NEVER})
    else:
        cluster.model(2, NEVER)
    cluster.run(60)
    cluster.command(command).run(10)
    assert cluster.reasons[-1] == "CommandRejected"
    assert cluster.events[-1].message.endswith(f"was rejected: {why}")


def test_retry_of_a_revision_that_the_spec_no_longer_asks_for(cluster: FakeCluster) -> None:
    """Given a revision that failed and another model since, `retry` does not mean the revision."""
    cluster.model(2, Behaviour(error_rate=0.9)).until(lambda: cluster.parsed.failed_revisions)
    cluster.model(3, NEVER).run(120)
    failed = cluster.parsed.failed_revisions
    cluster.command("retry@1").run(10)
    assert cluster.reasons[-1] == "CommandRejected"
    assert cluster.parsed.failed_revisions == failed


def test_retry_while_an_abort_drains(cluster: FakeCluster) -> None:
    """Given an abort that is not over yet, `retry` means the source that failed since."""
    cluster.model(2, Behaviour(error_rate=0.9)).until(lambda: cluster.parsed.failed_revisions)
    cluster.model(3, BROKEN)
    cluster.until(lambda: cluster.parsed.model and cluster.parsed.model.failed_job)
    assert cluster.rollout is not None
    cluster.behaviours["https://models.example/digits/3"] = Behaviour()
    cluster.command("retry@1").until(cluster.ready)
    assert expected_digests(cluster)[-1] == digest_of("https://models.example/digits/3")


@pytest.mark.parametrize("resolver", [NEVER, BROKEN])
def test_stable_revision_without_pods(cluster: FakeCluster, resolver: Behaviour) -> None:
    """Given no pod of the stable revision, the status does not say that it serves."""
    cluster.edit(lambda spec: spec.update(replicas=0)).run(60)
    cluster.model(2, resolver).run(60)
    assert f"Revision {cluster.stable} has no ready pod." in cluster.message("Ready")


EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}


@pytest.mark.parametrize(
    ("pod", "message"),
    [
        (None, "Job digits-* has no pod yet. Its Events may say why: kubectl --namespace ml"),
        ({}, "Pod digits-*-x has not started yet. Its Events may say why: kubectl"),
        (EVICTED, "Pod digits-*-x has ended (Evicted). The node was low on memory."),
    ],
)
def test_message_about_a_job_without_a_container(
    cluster: FakeCluster, pod: Manifest | None, message: str
) -> None:
    """Given a Job whose container does not run, the message says how far it is."""
    cluster.model(2, NEVER).run(60)
    (job,) = jobs(cluster)
    observed = cluster.observe()
    pods = () if pod is None else (observed.resolvers[0] | {"status": pod},)
    plan = decide(
        replace(observed, resolvers=pods), cluster.renderer, cluster.platform, cluster.now
    )
    assert plan.status is not None
    expected = message.replace("digits-*", job)
    assert expected in plan.status.conditions[0].message


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [(137, "", "exit code 137"), (1, "no " * 2000, "no no no")],
)
def test_last_words_of_a_pod_that_has_ended(
    cluster: FakeCluster, code: int, words: str, expected: str
) -> None:
    """Given a pod that was evicted after its container had failed, the status has the cause."""
    fetcher = failing_fetcher(code, words, restarts=3)
    cluster.model(2, NEVER).run(60)
    observed = cluster.observe()
    pods = (observed.resolvers[0] | {"status": EVICTED | {"containerStatuses": [fetcher]}},)
    plan = decide(
        replace(observed, resolvers=pods), cluster.renderer, cluster.platform, cluster.now
    )
    assert plan.status is not None
    assert plan.status.model is not None
    failure = plan.status.model.failure or ""
    assert expected in failure
    assert len(failure) <= MAX_MESSAGE_LENGTH


@pytest.mark.parametrize("first", [True, False])
def test_name_of_the_job_is_used_soon_after_it_is_free(
    cluster: FakeCluster, *, first: bool
) -> None:
    """Given a foreign Job with the name, which is not watched, the next look is within 15 s."""
    if first:
        cluster = FakeCluster(spec=unresolved_spec(), behaviours={FIRST: NEVER})
    else:
        cluster.model(2, NEVER)
    cluster.settle()
    (name,) = jobs(cluster)
    del cluster.objects["Job", name]
    cluster.occupy("Job", name)
    cluster.run(60)
    assert cluster.condition("Ready") == ("False", "NameTaken")
    assert cluster.reconcile().requeue_after == NAME_TAKEN_REQUEUE_SECONDS


def with_condition(cluster: FakeCluster, type_: str, **more: str) -> FakeCluster:
    """Set a condition of the Job, and delete its pods."""
    (name,) = jobs(cluster)
    status = {"conditions": [{"type": type_, "status": "True", **more}]}
    cluster.objects["Job", name]["status"] = status
    cluster.behaviours["https://models.example/digits/2"].has_job_pod = False
    return cluster


def test_job_that_fails_as_a_whole(cluster: FakeCluster) -> None:
    """Given a Job that another policy of the cluster ends, the status says so at once."""
    cluster.model(2, replace(NEVER)).run(60)
    more = {"reason": "DeadlineExceeded", "message": "Job was active longer than its deadline"}
    with_condition(cluster, "Failed", **more).run(10)
    assert cluster.condition("Ready") == ("False", "ModelUnresolved")
    assert "(DeadlineExceeded). Job was active longer" in cluster.message("Ready")
    assert jobs(cluster) == []


def test_complete_job_without_a_pod(cluster: FakeCluster) -> None:
    """Given a Job whose pod is gone before it was observed, its deletion repeats it."""
    cluster.model(2, replace(NEVER)).run(60)
    with_condition(cluster, "Complete").run(10)
    assert "its pod is gone: delete the Job" in cluster.message("Ready")
    (name,) = jobs(cluster)
    del cluster.objects["Job", name]
    cluster.behaviours["https://models.example/digits/2"] = Behaviour()
    cluster.until(cluster.ready)
