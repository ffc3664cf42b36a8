"""The rights that the chart grants are those that the operator uses.

A right that is new in the chart needs an object or a command of `User` by which it is used.
"""

import json
import os
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from halimede.adapters.errors import ForbiddenError
from halimede.adapters.kinds import Kind
from halimede.adapters.store import Store
from halimede.api.v1alpha1 import API_VERSION, KIND
from halimede.reconcile.resync import CacheSync
from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.operator.conftest import connected, model, run_operator
from tests.operator.reading import answer
from tests.operator.user import User
from tests.support.audit_log import Right
from tests.support.clusters import install_gateway_api, start_control_plane
from tests.support.operator_account import OperatorAccount, install
from tests.support.waiting import wait_until

OWNERS = "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"
"""Off by default, but some distributions enable it."""
UNLOGGED: Mapping[Right, str] = {
    ("halimede.dev", "modeldeployments/finalizers", "update"): (
        "The admission plugin OwnerReferencesPermissionEnforcement checks it when a child is"
        " created, which is no request of its own. The API server of these tests has the plugin,"
        " as `test_children_need_the_right_to_finalizers` shows."
    ),
}
"""The rights whose use is not in the audit log, and why."""


_numbers = count(1)


class Install(Protocol):
    """Installs the account of a release."""

    def __call__(self, *namespaces: str) -> OperatorAccount:
        """Return the account; `watchNamespaces` of the chart has these *namespaces*."""


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    """Start a control plane of our own: an operator for all namespaces would find other tests."""
    name = f"tests-rights-{os.getpid()}"
    with start_control_plane(name, kwok_nodes=1, api_server=[OWNERS]) as cluster:
        install_gateway_api(cluster)
        yield cluster


@pytest.fixture
def namespace(control_plane: Cluster) -> Iterator[str]:
    """Create a namespace. Its models are deleted, as later operators may watch all namespaces."""
    name = f"models-{next(_numbers)}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "mdeploy", "--all", f"--namespace={name}", "--timeout=60s")


@pytest.fixture
def installed(control_plane: Cluster, namespace: str, tmp_path: Path) -> Install:
    """Return a function that installs the chart's account for the namespaces of the value."""

    def install_account(*namespaces: str) -> OperatorAccount:
        values = {"watchNamespaces": list(namespaces)}
        return install(control_plane, tmp_path, values, f"halimede-{namespace}")

    return install_account


@pytest.mark.parametrize("listed", [False, True], ids=["all namespaces", "watchNamespaces"])
async def test_the_rights_that_are_granted_are_those_that_are_used(
    installed: Install, namespace: str, tmp_path: Path, *, listed: bool
) -> None:
    """Given all kinds of models and rollouts, no right is missing and none is left over."""
    account = installed(*([namespace] if listed else []))
    granted, audit = account.rendered.rights, account.audit()
    user = User(account.cluster, namespace)
    with run_operator(account, tmp_path / "halimede.log", account.settings) as operator:
        user.expose_models()
        user.roll_out()
        user.copy_children()
        user.assert_everything_exists()
        token = account.cluster.kubectl("create", "token", "default", f"--namespace={namespace}")
        assert answer(operator, "/metrics", token.strip())[0] == HTTPStatus.FORBIDDEN
        # The watches miss nothing here. An empty store makes the resync read every object by name.
        async with connected(account.kubeconfig) as client:
            await CacheSync(client, Store(), [namespace]).resync(lambda _: None)
        user.withdraw()
        wait_until(
            lambda: granted - audit.used_rights() - UNLOGGED.keys(),
            lambda unused: not unused,
            explain=operator.log.read_text,
        )
    assert audit.forbidden_requests() == []
    assert audit.used_rights() == granted - UNLOGGED.keys()
    assert UNLOGGED.keys() <= granted


async def test_a_missing_right_is_found(installed: Install, namespace: str) -> None:
    """Given requests that RBAC and a policy reject, the audit log has them."""
    account = installed(namespace)
    audit = account.audit()
    plain = {"name": "m", "namespace": namespace}
    async with connected(account.kubeconfig) as client:
        with pytest.raises(ForbiddenError):
            await client.get(Kind("Secret", "v1", "secrets"), namespace, "m")
        with pytest.raises(ForbiddenError):
            await client.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": plain})
    found = wait_until(audit.forbidden_requests, lambda requests: len(requests) == 2)
    assert found[0].startswith(f"get /api/v1/namespaces/{namespace}/secrets/m: ")
    assert "cannot get resource" in found[0]
    assert "ValidatingAdmissionPolicy" in found[1]
    assert audit.used_rights() == set()


def test_children_need_the_right_to_finalizers(control_plane: Cluster, namespace: str) -> None:
    """Given a user who may create ConfigMaps, children need the further right."""
    here = f"--namespace={namespace}"
    control_plane.kubectl("apply", "--filename=-", input=json.dumps(model("m", namespace)))
    uid = control_plane.kubectl("get", "mdeploy", "m", here, "--output=jsonpath={.metadata.uid}")
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": "m", "uid": uid}
    metadata = {"name": "m", "ownerReferences": [owner | {"blockOwnerDeletion": True}]}
    child = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})

    def create() -> str:
        try:
            return control_plane.kubectl("create", "--filename=-", here, "--as=ann", input=child)
        except ClusterError as error:
            return str(error)

    def grant(verb: str, resource: str) -> None:
        rule = (f"--verb={verb}", f"--resource={resource}")
        control_plane.kubectl("create", "role", verb, *rule, here)
        control_plane.kubectl("create", "rolebinding", verb, f"--role={verb}", "--user=ann", here)

    grant("create", "configmaps")
    wait_until(create, lambda answer: "cannot set blockOwnerDeletion" in answer)
    grant("update", "modeldeployments.halimede.dev/finalizers")
    wait_until(create, lambda answer: "configmap/m created" in answer)
