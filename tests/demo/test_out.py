"""The demo's output folder: an unwritable one is reported before the start."""

import io
from pathlib import Path

from rich.console import Console

from demo.story import tell


def test_a_folder_that_cannot_be_written_to_is_named_with_its_remedy(tmp_path: Path) -> None:
    """A file in place of the folder is an error for any user."""
    (tmp_path / "file").touch()
    shown = io.StringIO()
    assert not tell(Console(file=shown, width=400), tmp_path / "file" / "demo")
    assert f"the demo cannot write to {tmp_path}/file/demo (Not a directory)" in shown.getvalue()
    assert "HALIMEDE_DEMO_OUT=" in shown.getvalue()
