"""Which revision the entry Service selects, and where routes lead."""

import pytest

from halimede.api.base import Manifest
from halimede.render.traffic import Backend, entry_revision, render_traffic
from tests.unit.render.resources import digits

BACKENDS = (Backend("stable", 90), Backend("other", 10))


@pytest.mark.parametrize(
    ("stable", "other", "selected"),
    [(100, 0, "stable"), (5, 95, "stable"), (0, 100, "other"), (0, 0, "stable")],
)
def test_entry_service(stable: int, other: int, selected: str) -> None:
    """The entry Service selects the stable revision until that has no requests left."""
    assert entry_revision((Backend("stable", stable), Backend("other", other))) == selected


def http_route() -> Manifest:
    """Return the route of a canary with testers."""
    headers = [{"name": "X-Tester", "value": "yes"}]
    md = digits(rollout={"canary": {"match": {"headers": headers}}})
    return render_traffic(md, BACKENDS, testers=True)[-1]


def test_a_route_is_accepted_by_older_versions_of_the_gateway_api() -> None:
    """They limit a route to 16 rules, and a rule to 8 matches."""
    rules = http_route()["spec"]["rules"]
    assert len(rules) <= 16
    assert [len(rule["matches"]) for rule in rules] == [8, 3, 1] * 2


def test_every_match_of_testers_has_their_headers() -> None:
    """Matches of a rule are alternatives, so a single one without headers would lead all users."""
    users, testers = http_route()["spec"]["rules"][:3], http_route()["spec"]["rules"][3:]
    assert not any("headers" in match for rule in users for match in rule["matches"])
    assert all(match.get("headers") for rule in testers for match in rule["matches"])
    assert [[one["path"] for one in rule["matches"]] for rule in testers] == [
        [one["path"] for one in rule["matches"]] for rule in users
    ]


def test_ingresses_have_the_paths_of_the_route() -> None:
    """Both kinds of routes lead to the same paths, also for a canary."""
    ingress = {"host": "digits.example.com", "tlsSecretName": "tls"}
    md = digits(expose={"type": "Ingress", "ingress": ingress})
    rendered = [one for one in render_traffic(md, BACKENDS) if one["kind"] == "Ingress"]
    by_name = {one["metadata"]["name"]: one["spec"]["rules"][0]["http"] for one in rendered}
    rules = http_route()["spec"]["rules"]
    for names, expected in (
        (("digits", "digits-canary"), (rules[1],)),
        (("digits-grpc", "digits-grpc-canary"), (rules[0], rules[2])),
    ):
        paths = [
            (match["path"]["type"].removeprefix("Path"), match["path"]["value"])
            for rule in expected
            for match in rule["matches"]
        ]
        for name in names:
            assert [(one["pathType"], one["path"]) for one in by_name[name]["paths"]] == paths
