"""The CRDs of the Gateway API and of Contour, taken from the Go modules that define them.

They lie in the Go module cache once Contour has been built. A copy goes beside the binaries, so
that the module cache may be removed; none is kept in the repository.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOLDER = "crds"
"""The folder beside the binaries that holds the definitions."""

SOURCES: Mapping[str, tuple[str, ...]] = {
    "sigs.k8s.io/gateway-api": ("config/crd/standard/gateway.networking.k8s.io_*.yaml",),
    "github.com/projectcontour/contour": ("examples/contour/01-crds.yaml",),
}
"""Files by Go module: the standard channel only; Contour is configured not to watch more."""


def collect(go: Path, module: Path, binaries: Path) -> None:
    """Copy the definitions beside the binaries, in the versions that a go.mod selects.

    ``go`` is the Go command, ``module`` the folder of the go.mod that builds Contour. What is
    missing from the module cache is downloaded. Raise ``FileNotFoundError`` if a module has no
    such file, ``subprocess.CalledProcessError`` if it cannot be downloaded.
    """
    target = binaries / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name, patterns in SOURCES.items():
        source = _module_folder(go, module, name)
        for pattern in patterns:
            _copy(source, pattern, target)


def _copy(source: Path, pattern: str, target: Path) -> None:
    files = sorted(source.glob(pattern))
    if not files:
        raise FileNotFoundError(f"{source} holds no {pattern}: did its version change?")
    for file in files:
        # Without the mode of the module cache, which is read-only.
        shutil.copyfile(file, target / file.name)


def _module_folder(go: Path, module: Path, name: str) -> Path:
    answer = subprocess.run(
        [go, "mod", "download", "-json", name],
        cwd=module,
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(json.loads(answer.stdout)["Dir"])
