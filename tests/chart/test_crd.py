from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Helm

GENERATED = CHART.parents[1] / "crds" / "halimede.dev_modeldeployments.yaml"


def test_the_chart_holds_the_generated_crd() -> None:
    """The chart's copy equals the generated file; ``make crds`` writes both."""
    assert (CHART / "files" / "crd.yaml").read_bytes() == GENERATED.read_bytes()


@pytest.mark.parametrize(
    ("crds", "annotations"),
    [({}, {"helm.sh/resource-policy": "keep"}), ({"keep": False}, {})],
    ids=["kept", "not-kept"],
)
def test_the_crd_is_installed_as_it_is(
    helm: Helm, crds: dict[str, Any], annotations: dict[str, str]
) -> None:
    """Templating only adds the annotation that keeps the CRD."""
    installed = helm.rendered({"crds": crds}).only("CustomResourceDefinition")
    expected = yaml.safe_load(GENERATED.read_text())
    given = expected["metadata"].get("annotations", {})
    assert installed["metadata"].pop("annotations", {}) == {**given, **annotations}
    expected["metadata"].pop("annotations", None)
    assert installed == expected
