"""Golden files: a folder for each case, with its input and all rendered objects.

`make golden` rewrites the outputs; a reviewer then reads the diff.
"""

import pytest
import yaml
from typing_extensions import override

from halimede.render.drift import is_up_to_date
from tests.golden.cases import CASES, GOLDEN, rendered


class _Dumper(yaml.SafeDumper):
    """Writes an object that occurs twice in full, because anchors make the files hard to read."""

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True


@pytest.mark.parametrize("case", CASES)
def test_rendered_as_agreed(case: str, *, write_golden: bool) -> None:
    """The rendered objects equal the reviewed files."""
    output = GOLDEN / case / "output.yaml"
    if write_golden:
        output.write_text(yaml.dump_all(rendered(case), Dumper=_Dumper, sort_keys=False, width=99))
    assert rendered(case) == list(yaml.safe_load_all(output.read_text()))


@pytest.mark.parametrize("case", CASES)
def test_covers_itself(case: str) -> None:
    """A live object equal to the rendered one needs no write."""
    assert all(is_up_to_date(manifest, manifest) for manifest in rendered(case))
