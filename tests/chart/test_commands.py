"""The chart's admission policy for commands on a real API server."""

import json
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from localcluster.access import ClusterError
from localcluster.cluster import Cluster
from tests.api.objects import BY_SERVICE, model_deployment
from tests.support.operator_account import OperatorAccount
from tests.support.waiting import wait_until

Give = Callable[[str, str, str], str]


@pytest.fixture
def annotate(api_server: Cluster, operator_account: OperatorAccount) -> Iterator[Give]:
    """Return a function that gives a command as a user, in a name, and returns the answer."""
    release = operator_account.user.rpartition(":")[2]
    api_server.kubectl("apply", "-f-", input=json.dumps(model_deployment(BY_SERVICE, name="led")))
    for user, roles in {"ann": ("edit", "operate"), "bob": ("edit",)}.items():
        for role in roles:
            api_server.kubectl(
                *("create", "rolebinding", f"{user}-{role}"),
                *(f"--clusterrole={release}-{role}", f"--user={user}"),
            )

    def give(user: str, command: str, by: str) -> str:
        annotations = {"halimede.dev/command": command, "halimede.dev/command-by": by}
        patch = f"--patch={json.dumps({'metadata': {'annotations': annotations}})}"
        try:
            return api_server.kubectl(
                "patch", "mdeploy", "led", f"--as={user}", "--type=merge", patch
            )
        except ClusterError as error:
            return str(error)

    tokens = count(1)
    wait_until(
        lambda: give("ann", f"pause@{next(tokens)}", "nobody"),
        lambda said: "must be the name of the user who gives the command" in said,
    )
    yield give
    api_server.kubectl("delete", "mdeploy", "led")
    api_server.kubectl("delete", "rolebinding", "ann-edit", "ann-operate", "bob-edit")


def test_a_command_needs_a_right_and_the_own_name(annotate: Give) -> None:
    """Given two users who may edit, only the one who may operate gives commands, in her name."""
    assert "patched" in annotate("ann", "abort@1000", "ann")
    assert "set it to ann" in annotate("ann", "abort@1001", "bob")
    assert "bob may not give commands" in annotate("bob", "abort@1002", "bob")
    assert "bob may not give commands" in annotate("bob", "abort@1000", "bob")
    assert "patched" in annotate("bob", "", "")


def test_a_new_object_may_have_no_command_of_others(api_server: Cluster, annotate: Give) -> None:
    """Given an object that is created with a command, the same holds."""
    assert annotate
    manifest = model_deployment(BY_SERVICE, name="new")
    manifest["metadata"]["annotations"] = {"halimede.dev/command": "abort@1"}
    with pytest.raises(ClusterError, match="must be the name of the user"):
        api_server.kubectl("create", "-f-", input=json.dumps(manifest))
