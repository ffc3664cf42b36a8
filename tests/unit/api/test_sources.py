"""The names of sources in the status."""

import pytest
from pydantic import ValidationError

from halimede.api.sources import Source, SourceId, metric_name, metric_source
from halimede.api.status import SourceEvidence


def _read(source: object) -> SourceEvidence:
    return SourceEvidence.model_validate({"source": source, "begunAt": 0, "watermark": 0})


@pytest.mark.parametrize("source", [*Source, metric_source("accuracy")])
def test_a_source_is_read_as_it_was_written(source: SourceId) -> None:
    """A source is read back as the same enum member, also by identity."""
    read = _read(_read(source).to_manifest()["source"]).source
    assert read == source
    assert type(read) is type(source)
    assert read is source or not isinstance(source, Source)


def test_an_objective_may_have_the_name_of_another_source() -> None:
    """A prefix distinguishes objectives from other sources."""
    source = _read("metrics/Router").source
    assert metric_name(source) == "Router"
    assert source != Source.ROUTER


@pytest.mark.parametrize("source", ["", "router", "metric/accuracy", 3, None])
def test_another_source_is_rejected(source: object) -> None:
    """An unknown source is rejected, because its evidence would never be used."""
    with pytest.raises(ValidationError, match="source"):
        _read(source)
