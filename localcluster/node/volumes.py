"""A pod's volumes: made on the node, then bound into its containers."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from localcluster import syscalls
from localcluster.node import quantity
from localcluster.node.api import UNREACHABLE, Api
from localcluster.node.downward_api import ConfigurationError, Facts, Json
from localcluster.node.environment import expand
from localcluster.node.filesystem import Step, StepKind
from localcluster.node.projection import PROJECTED, project, write_files

_TOKEN_LIFE_USED = 0.8
"""The part of a token's lifetime after which a new one is fetched, as in the kubelet."""
_RETRY_SECONDS = 10.0

_HOST_PATH_CHECKS: Mapping[str, tuple[Callable[[Path], bool], str]] = {
    "Directory": (Path.is_dir, "a directory"),
    "File": (Path.is_file, "a file"),
    "Socket": (Path.is_socket, "a socket"),
    "CharDevice": (Path.is_char_device, "a character device"),
    "BlockDevice": (Path.is_block_device, "a block device"),
}


class VolumeError(Exception):
    """A volume cannot be set up now; the message is worded like the kubelet's."""


class Volumes:
    """The volumes of one pod."""

    def __init__(self, api: Api, pod: Json, folder: Path, memory: Path, facts: Facts) -> None:
        """Make volumes below `folder`, those with files from the API below `memory`."""
        self._api = api
        self._pod = pod
        self._folder = folder
        self._memory = memory
        self._facts = facts
        self._sources: dict[str, Path] = {}
        self._in_memory: list[Path] = []
        self._refresh_at: dict[str, float] = {}

    async def set_up(self, now: float) -> None:
        """Set up all volumes that are not set up yet. Raise `VolumeError`."""
        for volume in self._pod["spec"].get("volumes", []):
            if volume["name"] in self._sources:
                continue
            try:
                self._sources[volume["name"]] = await self._source(volume, now)
            except (ConfigurationError, *UNREACHABLE, OSError, ValueError) as error:
                name, why = volume["name"], error or "timed out"
                message = f'MountVolume.SetUp failed for volume "{name}" : {why}'
                raise VolumeError(message) from error

    async def refresh(self, now: float) -> None:
        """Bring files of ConfigMaps and Secrets up to date; keep those that cannot be read."""
        for volume in self._pod["spec"].get("volumes", []):
            if "configMap" in volume or "secret" in volume:
                with contextlib.suppress(ConfigurationError, *UNREACHABLE):
                    await self._project(volume, self._sources[volume["name"]], now)

    def mounts(self, container: Json, values: Mapping[str, str]) -> list[Step]:
        """Return the steps that bind a container's volume mounts, outer ones first."""
        mounts = container.get("volumeMounts", [])
        steps = [self._mount(mount, values) for mount in mounts]
        return sorted(steps, key=lambda step: len(Path(step.target).parts))

    async def keep_tokens_fresh(self, clock: Callable[[], float]) -> None:
        """Replace each service-account token before it expires, until cancelled."""
        while self._refresh_at:
            name = min(self._refresh_at, key=self._refresh_at.__getitem__)
            await asyncio.sleep(max(0.0, self._refresh_at[name] - clock()))
            volumes = self._pod["spec"]["volumes"]
            volume = next(volume for volume in volumes if volume["name"] == name)
            try:
                await self._project(volume, self._sources[name], clock())
            except (*UNREACHABLE, OSError, ConfigurationError):
                self._refresh_at[name] = clock() + _RETRY_SECONDS

    def release(self) -> None:
        """Release the memory of volumes in memory, with their files."""
        shutil.rmtree(self._memory, ignore_errors=True)
        while self._in_memory:
            syscalls.unmount(str(self._in_memory.pop()))

    def _mount(self, mount: Json, values: Mapping[str, str]) -> Step:
        source = self._sources[mount["name"]]
        part = mount.get("subPath") or expand(mount.get("subPathExpr", ""), values)
        if part:
            source = source / part
            if not source.exists():
                source.mkdir(parents=True)
        volumes = self._pod["spec"]["volumes"]
        volume = next(volume for volume in volumes if volume["name"] == mount["name"])
        read_only = bool(mount.get("readOnly")) or any(kind in volume for kind in PROJECTED)
        target = os.path.normpath(mount["mountPath"])
        return Step(StepKind.BIND, target, str(source), read_only=read_only)

    async def _source(self, volume: Json, now: float) -> Path:
        folder = self._folder / str(volume["name"])
        if any(kind in volume for kind in PROJECTED):
            folder = self._memory / str(volume["name"])
            await self._project(volume, folder, now)
        elif "emptyDir" in volume:
            self._make_empty(folder, volume["emptyDir"])
        elif "hostPath" in volume:
            return host_path(volume["hostPath"])
        elif "persistentVolumeClaim" in volume:
            return await self._claim_path(volume["persistentVolumeClaim"]["claimName"])
        else:
            kind = next(key for key in volume if key != "name")
            raise ConfigurationError(f"the process node has no volumes of kind {kind}")
        return folder

    async def _project(self, volume: Json, folder: Path, now: float) -> None:
        projection = await project(self._api, self._pod, volume, self._facts)
        _make_folder(folder)
        write_files(folder, projection)
        if projection.expires is not None:
            left = projection.expires - now
            self._refresh_at[volume["name"]] = now + left * _TOKEN_LIFE_USED

    def _make_empty(self, folder: Path, settings: Json) -> None:
        _make_folder(folder)
        if settings.get("medium") == "Memory":
            limit = settings.get("sizeLimit")
            size = f",size={int(quantity.parse(limit))}" if limit else ""
            flags = syscalls.MS_NODEV | syscalls.MS_NOSUID
            syscalls.mount("tmpfs", folder, "tmpfs", flags, f"mode=1777{size}")
            self._in_memory.append(folder)
        else:
            folder.chmod(0o1777)

    async def _claim_path(self, claim: str) -> Path:
        namespace = self._pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}"
        live = await self._api.get(path)
        name = live["spec"].get("volumeName")
        if not name:
            raise ConfigurationError(f'persistentvolumeclaim "{claim}" is not bound')
        spec = (await self._api.get(f"/api/v1/persistentvolumes/{name}"))["spec"]
        if "hostPath" in spec:
            return host_path(spec["hostPath"])
        if "local" in spec:
            return host_path({"path": spec["local"]["path"], "type": "Directory"})
        raise ConfigurationError(f'persistentvolume "{name}" is neither hostPath nor local')


def host_path(settings: Json) -> Path:
    """Return the path of a hostPath volume, created if its type asks for it.

    Raise `ConfigurationError` if it is not of its type.
    """
    path, kind = Path(settings["path"]), settings.get("type") or ""
    if kind == "DirectoryOrCreate" or (not kind and not path.exists()):
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    elif kind:
        check, what = _HOST_PATH_CHECKS[kind]
        if not check(path):
            raise ConfigurationError(f"hostPath type check failed: {path} is not {what}")
    return path


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
