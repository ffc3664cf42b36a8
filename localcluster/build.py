"""Build the programs of the cluster from their Go modules, once, into the cache.

A tool is built from its go.mod and go.sum in ``localcluster/go/<tool>``. Their hash names the
folder in the cache, so that a second checkout builds nothing and a change rebuilds only the tools
that it affects.
"""

import fcntl
import hashlib
import os
import platform
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster import folders, toolchain
from localcluster.addons import gateway_crds
from localcluster.progress import Progress, Tell

KUBERNETES = "v1.36.3"
"""The version that the control plane reports; go.mod pins the version that is built."""

LAST_LINES = 20
"""Lines of the compiler's output that an error shows."""


class BuildError(RuntimeError):
    """A tool could not be built; the message names it and shows the compiler's output."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program built from one Go module."""

    name: str
    """Names the module's folder in ``localcluster/go``."""
    package: str
    """What to compile, ``.`` for the module's own program."""
    programs: tuple[str, ...]
    """Its names; the first is the file, the others are links to it."""
    minutes: int
    """Minutes to build it on two cores with nothing in Go's caches, downloads included."""
    flags: tuple[str, ...] = ()
    """Added to ``go build``."""

    @property
    def module(self) -> Path:
        """The folder of its go.mod."""
        return folders.SOURCE / "go" / self.name

    @property
    def key(self) -> str:
        """Hash of everything the program is built from, except the compiler's version."""
        digest = hashlib.sha256(repr((self, platform.machine())).encode())
        for file in sorted(self.module.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:12]


_STAMP = " ".join(
    f"-X {package}/version.gitVersion={KUBERNETES}"
    for package in ("k8s.io/component-base", "k8s.io/client-go/pkg")
)

CONTROL_PLANE = Tool(
    "control-plane",
    ".",
    (
        "control-plane",
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubectl",
        "make-certificate",
    ),
    5,
    (f"-ldflags=-s -w {_STAMP}",),
)
CONTOUR = Tool(
    "contour",
    "github.com/projectcontour/contour/cmd/contour",
    ("contour",),
    2,
    ("-ldflags=-s -w",),
)
HELM = Tool("helm", "helm.sh/helm/v4/cmd/helm", ("helm",), 2, ("-ldflags=-s -w",))
KWOK = Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok", ("kwok",), 1, ("-ldflags=-s -w",))
PROMETHEUS = Tool(
    "prometheus",
    "github.com/prometheus/prometheus/cmd/prometheus",
    ("prometheus",),
    3,
    ("-ldflags=-s -w", "-tags=remove_all_sd,enable_kubernetes_sd"),
)
VERSITYGW = Tool(
    "versitygw",
    "github.com/versity/versitygw/cmd/versitygw",
    ("versitygw",),
    2,
    ("-ldflags=-s -w",),
)
FAKE_GCS = Tool(
    "fake-gcs-server",
    "github.com/fsouza/fake-gcs-server",
    ("fake-gcs-server",),
    2,
    ("-ldflags=-s -w",),
)

EVERYTHING = (CONTROL_PLANE, CONTOUR, HELM, KWOK, PROMETHEUS, VERSITYGW)
"""What clusters need, and the object store of the demo and of the tests. Another store is built by
the tests that need it."""


def build(tools: Sequence[Tool] = EVERYTHING, progress: Progress | None = None) -> Path:
    """Build what is missing and return a folder with all the programs by name.

    Programs in the folder ``KUBEBUILDER_ASSETS`` replace those built. Concurrent calls build
    nothing twice: the second waits for the first. Raise ``BuildError``.
    """
    reporter = progress or Progress()
    built = [_build_tool(tool, reporter) for tool in tools]
    return _link_programs(built, _user_programs(os.environ))


def folder_of(tool: Tool) -> Path:
    """Return the folder of a tool in the cache; it is there once the tool is built."""
    return folders.cache() / f"{tool.name}-{tool.key}"


def _build_tool(tool: Tool, progress: Progress) -> Path:
    folder = folder_of(tool)
    if folder.is_dir():
        return folder
    with (
        progress.step(f"Building {tool.name}", expected=f"about {tool.minutes} min") as tell,
        _file_lock(folders.cache() / f".{tool.name}.lock", tell),
    ):
        if not folder.is_dir():
            _compile_into(folder, tool, tell)
    return folder


def _compile_into(folder: Path, tool: Tool, tell: Tell) -> None:
    tell("looking for a Go compiler")
    go = toolchain.find_go(toolchain.version_needed(tool.module / "go.mod"), folders.cache())
    with _replacing(folder) as made:
        _compile(go, tool, made / tool.programs[0], tell)
        for link in tool.programs[1:]:
            (made / link).symlink_to(tool.programs[0])
        if tool is CONTOUR:
            gateway_crds.collect(go, tool.module, made)


def _compile(go: Path, tool: Tool, program: Path, tell: Tell) -> None:
    tell("compiling")
    fixed = ("-mod=readonly", "-trimpath", "-buildvcs=false")
    last: deque[str] = deque(maxlen=LAST_LINES)
    with subprocess.Popen(
        [go, "build", *fixed, *tool.flags, "-o", program, tool.package],
        cwd=tool.module,
        # The user's GOFLAGS could undo what is fixed here; a workspace could change versions.
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last.append(line.rstrip())
            if line.startswith("go: downloading "):
                tell(line.strip())
    if process.returncode != 0:
        end = "\n".join(last)
        raise BuildError(f"{tool.name} could not be built in {tool.module}. {go} said:\n{end}")


def _user_programs(environment: Mapping[str, str]) -> list[Path]:
    """Return the user's programs from ``KUBEBUILDER_ASSETS``, the convention of envtest."""
    folder = environment.get("KUBEBUILDER_ASSETS")
    if not folder:
        return []
    programs = [Path(folder, name) for name in ("etcd", "kube-apiserver", "kubectl")]
    missing = [program.name for program in programs if not os.access(program, os.X_OK)]
    if missing:
        raise BuildError(
            f"KUBEBUILDER_ASSETS is {folder}, which has no {', '.join(missing)}: "
            "correct it, or unset it to have them built"
        )
    return programs


def _link_programs(built: Sequence[Path], instead: Sequence[Path]) -> Path:
    """Return a folder of links to all programs, the same one for the same programs."""
    programs = {entry.name: entry for folder in built for entry in folder.iterdir()}
    programs |= {program.name: program for program in instead}
    digest = hashlib.sha256(repr(sorted(programs.items())).encode()).hexdigest()[:12]
    target = folders.cache() / f"bin-{digest}"
    if not target.is_dir():
        with _file_lock(target.parent / ".bin.lock", _ignore), _replacing(target) as aside:
            for name, program in programs.items():
                (aside / name).symlink_to(program)
    return target


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Yield a new folder that is renamed to ``folder`` when the block ends.

    Thus an incomplete build is never used. Another process may have made ``folder`` first.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
        made = Path(aside, "made")
        made.mkdir()
        yield made
        if not folder.is_dir():
            made.rename(folder)


@contextmanager
def _file_lock(path: Path, tell: Tell) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another process that builds it (it holds {path})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ignore(_: str) -> None:
    """Show no progress: links are made at once."""
