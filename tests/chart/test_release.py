"""The chart as the release workflow publishes it."""

import shutil
import subprocess
from pathlib import Path

import yaml

from tests.chart.rendering import CHART, Helm

WORKFLOW = CHART.parents[1] / ".github" / "workflows" / "release.yaml"
IMAGE = "registry.example.com/halimede"
DIGEST = "sha256:" + "b" * 64
FETCH_IMAGE = "registry.example.com/halimede-fetch"
FETCH_DIGEST = "sha256:" + "c" * 64


def test_the_published_chart_names_the_images_by_their_digests(helm: Helm, tmp_path: Path) -> None:
    """Given the workflow's own commands, the packaged chart needs no value to be installed."""
    (step,) = [
        step
        for step in yaml.safe_load(WORKFLOW.read_text())["jobs"]["publish"]["steps"]
        if step.get("id") == "chart"
    ]
    shutil.copytree(CHART, tmp_path / "charts" / "halimede")
    commands, _, _ = step["run"].partition("helm push")
    assert "helm package" in commands
    subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={"PATH": f"{helm.program.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
        | {"IMAGE": IMAGE, "DIGEST": DIGEST}
        | {"FETCH_IMAGE": FETCH_IMAGE, "FETCH_DIGEST": FETCH_DIGEST},
        check=True,
    )
    (package,) = tmp_path.glob("halimede-*.tgz")
    finished = helm.run("template", "h", package)
    assert finished.returncode == 0, finished.stderr
    assert f"image: {IMAGE}@{DIGEST}" in finished.stdout
    assert f'value: "{FETCH_IMAGE}@{FETCH_DIGEST}"' in finished.stdout
