"""What keeps the repository in order: updates of what it uses, and checks before a commit."""

import re

import yaml

from tests.support.pages import ROOT


def test_dependabot_knows_every_go_module() -> None:
    """A Go module that is added is updated, too."""
    settings = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    (gomod,) = [one for one in settings["updates"] if one["package-ecosystem"] == "gomod"]
    modules = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("*/go/*/go.mod")}
    assert set(gomod["directories"]) == modules


def test_pre_commit_hooks_are_those_of_lint() -> None:
    """What a hook accepts, `make lint` accepts."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    commands = [line.strip() for line in recipe.splitlines()[1:]]
    assert {hook["entry"].replace(".venv/bin", "$(BIN)") for hook in hooks} == set(commands)


def test_the_makefile_names_tests_that_exist() -> None:
    """A file of tests that is renamed is not run by accident where it was left out."""
    named = re.findall(r"tests/[\w/]+\.py", (ROOT / "Makefile").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
