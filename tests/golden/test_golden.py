"""Golden files: a folder for each case, what goes in and all the objects that come out.

`make golden` writes the outputs anew; a reviewer then reads the difference.
"""

import pytest
import yaml

from halimede.render.drift import is_up_to_date
from tests.golden.cases import CASES, GOLDEN, rendered


@pytest.mark.parametrize("case", CASES)
def test_rendered_as_agreed(case: str, *, write_golden: bool) -> None:
    """What comes out is what a reviewer has agreed to."""
    output = GOLDEN / case / "output.yaml"
    if write_golden:
        output.write_text(yaml.safe_dump_all(rendered(case), sort_keys=False, width=99))
    assert rendered(case) == list(yaml.safe_load_all(output.read_text()))


@pytest.mark.parametrize("case", CASES)
def test_covers_itself(case: str) -> None:
    """An object that is live as it was rendered needs no write."""
    assert all(is_up_to_date(manifest, manifest) for manifest in rendered(case))
