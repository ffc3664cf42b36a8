"""Storage URIs."""

import pytest

from halimede.api.source import Scheme, Source, parse_source


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("configMap://digits", Source(Scheme.CONFIG_MAP, "digits", "")),
        ("pvc://claim", Source(Scheme.PVC, "claim", "")),
        ("pvc://claim/a/b/", Source(Scheme.PVC, "claim", "a/b")),
        ("hf://o/r@v1/a", Source(Scheme.HUB, "hf://o/r@v1/a", "")),
        ("https://h/m.onnx?x=1", Source(Scheme.HTTPS, "https://h/m.onnx?x=1", "")),
        ("s3://b/a/b/", Source(Scheme.S3, "s3://b/a/b/", "")),
    ],
)
def test_parts(uri: str, found: Source) -> None:
    """A URI is split into scheme, location and path."""
    assert parse_source(uri) == found


@pytest.mark.parametrize("uri", ["gs://b/x", "digits", "", "://x"])
def test_other_schemes(uri: str) -> None:
    """Other schemes are rejected with the supported ones."""
    with pytest.raises(ValueError, match="configMap://, pvc://, https://, s3://, hf://"):
        parse_source(uri)
