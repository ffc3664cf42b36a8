"""Maintenance of the repository: dependency updates."""

import yaml

from tests.support.pages import ROOT


def test_dependabot_knows_every_go_module() -> None:
    """Every Go module is in Dependabot's configuration."""
    settings = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    (gomod,) = [one for one in settings["updates"] if one["package-ecosystem"] == "gomod"]
    modules = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("*/go/*/go.mod")}
    assert set(gomod["directories"]) == modules
