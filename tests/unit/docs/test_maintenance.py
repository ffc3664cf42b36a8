"""Maintenance of the repository: dependency updates, and what workflows and images are made of."""

import re
from itertools import chain

import yaml

from tests.support.pages import ROOT

WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github/workflows").glob("*.y*ml")}
ACTIONS = {
    path.parent.name: path.read_text() for path in ROOT.glob(".github/actions/*/action.yaml")
}
UPDATES = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_dependabot_knows_every_go_module() -> None:
    """Every Go module is in Dependabot's configuration."""
    (gomod,) = [one for one in UPDATES if one["package-ecosystem"] == "gomod"]
    modules = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("*/go/*/go.mod")}
    assert set(gomod["directories"]) == modules


def test_dependabot_knows_every_python_project() -> None:
    """Given the operator and the fetcher, the packages of both get pull requests."""
    (pip,) = [one for one in UPDATES if one["package-ecosystem"] == "pip"]
    files = (ROOT / "pyproject.toml", *ROOT.glob("jobs/*/pyproject.toml"))
    projects = {f"/{path.parent.relative_to(ROOT)}".rstrip(".") for path in files}
    assert set(pip["directories"]) == projects


def test_dependabot_updates_everything_that_is_pinned() -> None:
    """Packages, programs, actions and the base image get pull requests for new versions."""
    ecosystems = {one["package-ecosystem"] for one in UPDATES}
    assert ecosystems == {"pip", "gomod", "github-actions", "docker"}


def test_every_action_is_named_by_its_commit() -> None:
    """A tag can be moved to other code, a commit cannot; a comment names the version."""
    used = [
        (name, line.strip())
        for name, workflow in (WORKFLOWS | ACTIONS).items()
        for line in workflow.splitlines()
        if re.search(r"\buses:", line) and "uses: ./" not in line
    ]
    assert len(used) > 5
    pinned = re.compile(r"(?:- )?uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in used if not pinned.fullmatch(line[1])] == []


def test_an_action_has_one_version() -> None:
    """No action is used in two versions."""
    found = re.findall(
        r"uses: ([^.@\s]\S*)@(\S+ # \S+)", "\n".join((WORKFLOWS | ACTIONS).values())
    )
    versions = {
        action: {version for name, version in found if name == action} for action, _ in found
    }
    assert versions
    assert {action: all_of for action, all_of in versions.items() if len(all_of) > 1} == {}


def test_workflows_may_only_read_by_default() -> None:
    """Each workflow starts with the right to read the repository; a job adds what it needs."""
    assert {
        name: yaml.safe_load(workflow)["permissions"] for name, workflow in WORKFLOWS.items()
    } == {name: {"contents": "read"} for name in WORKFLOWS}


def test_the_base_image_is_named_by_its_digest() -> None:
    """Every stage starts from an earlier stage, or from an image by tag and digest."""
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    assert len(stages) == len(re.findall(r"^\s*FROM\b", DOCKERFILE, re.MULTILINE | re.IGNORECASE))
    earlier: set[str] = set()
    unpinned = []
    for base, stage in stages:
        if base not in earlier and not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", base):
            unpinned.append(base)
        earlier.add(stage)
    assert stages
    assert unpinned == []


def test_packages_are_installed_by_their_hashes() -> None:
    """Every installation from a list of packages demands hashes, and every list has them."""
    sources = (DOCKERFILE, (ROOT / "Makefile").read_text(), *(WORKFLOWS | ACTIONS).values())
    installs = list(
        chain.from_iterable(re.findall(r"\bpip\b.* install .*", one) for one in sources)
    )
    assert len(installs) >= 4
    assert [
        command
        for command in installs
        if "--require-hashes" not in command and " wheels/halimede" not in command
    ] == []
    for lock in (ROOT / "requirements").glob("*.txt"):
        pins = re.findall(
            r"^[\w.-]+(?:\[\S+\])?==\S+.*\\\n    --hash=sha256:", lock.read_text(), re.MULTILINE
        )
        assert len(pins) == len(re.findall(r"^[\w.-]+", lock.read_text(), re.MULTILINE)), lock.name
