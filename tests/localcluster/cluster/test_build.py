"""Builds: their cache, and a user's own programs."""

import os
from pathlib import Path

import pytest

from localcluster import build, folders, toolchain
from localcluster.build import BuildError, Tool


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for these tests, which compile Go's library once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def tool(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """A tiny tool in its own module."""
    monkeypatch.setattr(folders, "SOURCE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    module = tmp_path / "go" / "hello"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("module example.org/hello\n\ngo 1.26.0\n")
    (module / "main.go").write_text(f"package main // {tmp_path}\n\nfunc main() {{}}\n")
    return Tool("hello", ".", ("hello", "hallo"), 1)


def test_a_tool_is_built_once(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second build uses the cache; it runs without a compiler."""
    first = build.build([tool])
    assert os.access(first / "hello", os.X_OK)
    assert (first / "hallo").resolve() == (first / "hello").resolve()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert build.build([tool]) == first


def test_a_change_of_the_source_is_another_build(tool: Tool) -> None:
    """A tool's cache name depends on its sources."""
    before = tool.key
    (tool.module / "go.sum").write_text("")
    assert tool.key != before


def test_failed_build_prints_the_compiler_output(tool: Tool) -> None:
    """The error has the tool and the compiler's output; the cache stays empty."""
    (tool.module / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildError, match=r"hello could not be built[^\0]*undefined: nonsense"):
        build.build([tool])
    assert not (folders.cache() / f"hello-{tool.key}").exists()
    assert list(folders.cache().glob(".hello-*")) == []


def test_ready_programs_take_the_place_of_ours(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KUBEBUILDER_ASSETS is used, as in envtest."""
    assets = tmp_path / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (assets / name).write_text("#!/bin/sh\n")
        (assets / name).chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert (build.build([tool]) / "etcd").resolve() == assets / "etcd"


def test_missing_ready_programs_are_named(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder without them is an error, not replaced by a build."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(BuildError, match="has no etcd, kube-apiserver, kubectl"):
        build.build([tool])


@pytest.mark.parametrize(
    "module",
    [tool.module for tool in (*build.EVERYTHING, build.FAKE_GCS)],
    ids=lambda m: m.name,
)
def test_every_module_states_its_go_version(module: Path) -> None:
    """The compiler is chosen by the module's go directive."""
    assert toolchain.version_needed(module / "go.mod") >= (1, 26)


def test_an_unknown_compiler_is_never_new_enough() -> None:
    """A program that is no Go compiler has no version."""
    assert toolchain.version_of(Path("/bin/true")) == ()
