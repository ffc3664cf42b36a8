import pytest

from localcluster.node.downward_api import ConfigurationError
from localcluster.node.projection import File, chosen

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
