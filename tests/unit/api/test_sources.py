"""The names of sources, as the status has them."""

import pytest
from pydantic import ValidationError

from halimede.api.sources import Source, SourceId, metric_name, metric_source
from halimede.api.status import SourceEvidence


def _read(source: object) -> SourceEvidence:
    return SourceEvidence.model_validate({"source": source, "begunAt": 0, "watermark": 0})


@pytest.mark.parametrize("source", [*Source, metric_source("accuracy")])
def test_a_source_is_read_as_it_was_written(source: SourceId) -> None:
    """After a restart it is the same member of the enum, by identity too."""
    read = _read(_read(source).to_manifest()["source"]).source
    assert read == source
    assert type(read) is type(source)
    assert read is source or not isinstance(source, Source)


def test_an_objective_may_have_the_name_of_another_source() -> None:
    """The prefix tells them apart."""
    source = _read("metrics/Router").source
    assert metric_name(source) == "Router"
    assert source != Source.ROUTER


@pytest.mark.parametrize("source", ["", "router", "metric/accuracy", 3, None])
def test_another_source_is_refused(source: object) -> None:
    """A name that nothing counts for would be evidence that is never read again."""
    with pytest.raises(ValidationError, match="source"):
        _read(source)
