"""Turn a container of the API into a program and its sandbox."""

from dataclasses import dataclass
from pathlib import Path

from localcluster.node import environment, projection
from localcluster.node.downward_api import ConfigurationError, Json
from localcluster.node.filesystem import HOME, Step, StepKind
from localcluster.node.images import Image
from localcluster.node.pod_context import PodContext
from localcluster.node.sandbox import Program, Sandbox

_LOG_FILE = "/dev/termination-log"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A container that can be started."""

    program: Program
    sandbox: Sandbox
    message: Path
    """The file, outside the container, to which it may write its termination message."""


async def prepare(container: Json, image: Image, pod: PodContext) -> Prepared:
    """Fetch the sources of the container's variables, and create its folder.

    Raise `ConfigurationError` if the pod refers to a missing object, or uses a feature that the
    process node does not support and must not ignore.
    """
    _reject_unsupported(container, pod.pod["spec"])
    namespace = pod.pod["metadata"]["namespace"]
    objects = {
        source: await projection.fetch(pod.node.api, namespace, source.kind, source.name)
        for source in environment.sources(container)
    }
    own = environment.variables(pod.pod, container, objects, pod.facts)
    values = {**image.environment, **_from_node(pod), **own}
    arguments = environment.command_line(container, image.entrypoint, own)
    if not arguments:
        raise ConfigurationError(f'no command: the image "{image.name}" has none of its own')
    security = container.get("securityContext") or {}
    dropped = (security.get("capabilities") or {}).get("drop") or []
    program = Program(
        arguments,
        values,
        container.get("workingDir") or "/",
        no_new_privileges=security.get("allowPrivilegeEscalation") is False,
        drop_capabilities="ALL" in dropped,
    )
    folder = pod.folder / "containers" / container["name"]
    message = _make_files(folder)
    steps = [
        *pod.node.common_steps,
        *image.steps,
        *(
            Step(StepKind.BIND, f"/etc/{name}", str(pod.folder / name))
            for name in ("hosts", "resolv.conf")
        ),
        Step(StepKind.BIND, container.get("terminationMessagePath") or _LOG_FILE, str(message)),
        *pod.volumes.mounts(container, values),
    ]
    sandbox = Sandbox(
        hostname=pod.pod["spec"].get("hostname") or pod.pod["metadata"]["name"],
        root=folder / "root",
        steps=steps,
        netns=pod.namespace,
        read_only_root=bool(security.get("readOnlyRootFilesystem")),
    )
    return Prepared(program, sandbox, message)


def _reject_unsupported(container: Json, spec: Json) -> None:
    probes = [container.get(name) or {} for name in ("startupProbe", "livenessProbe")]
    probes.append(container.get("readinessProbe") or {})
    features = {
        "a gRPC probe: use httpGet": any("grpc" in probe for probe in probes),
        "a postStart hook": "postStart" in (container.get("lifecycle") or {}),
        "block devices (volumeDevices)": bool(container.get("volumeDevices")),
        "sidecars (init containers with a restartPolicy)": "restartPolicy" in container,
        "a process namespace shared by a pod": bool(spec.get("shareProcessNamespace")),
    }
    unsupported = [what for what, is_used in features.items() if is_used]
    if unsupported:
        raise ConfigurationError(f"the process node does not support {'; '.join(unsupported)}")


def _from_node(pod: PodContext) -> dict[str, str]:
    host, port = pod.node.api_server
    return {
        "HOME": HOME,
        "HOSTNAME": pod.pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
    }


def _make_files(folder: Path) -> Path:
    (folder / "root").mkdir(parents=True, exist_ok=True)
    message = folder / "message"
    message.write_bytes(b"")
    return message
