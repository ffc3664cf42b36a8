from pathlib import Path

import pytest

from localcluster.node.downward_api import ConfigurationError
from localcluster.node.projection import File, Projection, chosen, write_files

CONTENT = {"a": b"1", "b": b"2"}


def test_without_items_every_key_is_a_file() -> None:
    """A ConfigMap or Secret is mounted whole, with the volume's mode."""
    files = chosen(CONTENT, {"name": "c"}, 0o440, optional=False)
    assert files == {"a": File(b"1", 0o440), "b": File(b"2", 0o440)}


def test_items_choose_keys_and_give_them_paths_and_modes() -> None:
    """Only listed keys are mounted, with the listed paths and modes."""
    items = [{"key": "b", "path": "sub/file", "mode": 0o400}]
    files = chosen(CONTENT, {"items": items}, 0o644, optional=False)
    assert files == {"sub/file": File(b"2", 0o400)}


def test_a_missing_key_is_an_error_unless_it_is_optional() -> None:
    """The message is the kubelet's."""
    reference = {"items": [{"key": "z", "path": "z"}]}
    with pytest.raises(ConfigurationError, match="references non-existent config key: z"):
        chosen(CONTENT, reference, 0o644, optional=False)
    assert chosen(CONTENT, reference, 0o644, optional=True) == {}


def test_files_whose_keys_are_gone_are_removed(tmp_path: Path) -> None:
    """The files of a volume that is written again are those of the present content."""
    write_files(tmp_path, Projection({"a": File(b"1", 0o440), "sub/b": File(b"2", 0o440)}))
    write_files(tmp_path, Projection({"a": File(b"3", 0o400)}))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "a"]
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "a").stat().st_mode & 0o777) == (
        b"3",
        0o400,
    )
