"""Models over HTTPS, from a server with our own CA."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from halimede_fetch.credentials import Credentials
from halimede_fetch.errors import FetchError
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import IMPATIENT, TRUSTED, Site


def _tar(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def _tar_with_link() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo("model.onnx")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    return buffer.getvalue()


def _zip(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return buffer.getvalue()


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _with(secret: dict[str, str]) -> Credentials:
    return Credentials(**secret, ca=TRUSTED.ca)


def test_a_single_file_is_downloaded(site: Site, to: Path) -> None:
    """The file keeps its name without the query, and its digest is that of the file."""
    site.files["/a/model.onnx"] = b"onnx"
    found = fetch(f"{site.url}/a/model.onnx?signature=x", to, credentials=TRUSTED)
    assert found == hashlib.sha256(b"onnx").hexdigest()
    assert _files(to) == ["1/model.onnx"]


@pytest.mark.parametrize(("name", "pack"), [("m.tar.gz", _tar), ("m.tgz", _tar), ("m.zip", _zip)])
def test_archives_are_unpacked(
    site: Site, to: Path, name: str, pack: Callable[..., bytes]
) -> None:
    """An archive's content is published; the digest is that of the archive."""
    archive = pack(("1/model.onnx", b"x"), ("config.pbtxt", b"c"))
    site.files[f"/{name}"] = archive
    expected = hashlib.sha256(archive).hexdigest()
    fetch(f"{site.url}/{name}", to, sha256=expected, credentials=TRUSTED)
    assert _files(to) == ["1/model.onnx", "config.pbtxt"]


def test_the_folder_that_wraps_an_archive_is_left_out(site: Site, to: Path) -> None:
    """`digits/1/model.onnx` in an archive is version 1 of the model, not a folder in it."""
    site.files["/m.tgz"] = _tar(("digits/1/model.onnx", b"x"), ("digits/config.pbtxt", b"c"))
    fetch(f"{site.url}/m.tgz", to, credentials=TRUSTED)
    assert _files(to) == ["1/model.onnx", "config.pbtxt"]


def test_a_folder_that_is_the_model_is_kept(site: Site, to: Path) -> None:
    """TensorFlow's `model.savedmodel` is a folder that belongs to the model."""
    site.files["/m.tgz"] = _tar(("model.savedmodel/saved_model.pb", b"x"))
    fetch(f"{site.url}/m.tgz", to, credentials=TRUSTED)
    assert _files(to) == ["1/model.savedmodel/saved_model.pb"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
@pytest.mark.parametrize(("file", "pack"), [("m.tgz", _tar), ("m.zip", _zip)])
def test_an_archive_cannot_write_outside(
    site: Site, to: Path, file: str, pack: Callable[..., bytes], name: str
) -> None:
    """Names outside the folder are rejected, and nothing is published."""
    site.files[f"/{file}"] = pack((name, b"x"))
    with pytest.raises(FetchError, match="outside"):
        fetch(f"{site.url}/{file}", to, credentials=TRUSTED)
    assert list(to.parent.rglob("*evil*")) == []
    assert not to.exists()


def test_a_link_in_an_archive_is_rejected(site: Site, to: Path) -> None:
    """Links are rejected: they could lead anywhere."""
    site.files["/m.tgz"] = _tar_with_link()
    with pytest.raises(FetchError, match="not a regular file"):
        fetch(f"{site.url}/m.tgz", to, credentials=TRUSTED)


def test_archive_is_limited_by_its_unpacked_size(site: Site, to: Path) -> None:
    """The limit applies to the unpacked size."""
    site.files["/m.zip"] = _zip(("model.bin", bytes(1_000_000)))
    with pytest.raises(FetchError, match=r"spec\.model\.maxSize"):
        fetch(f"{site.url}/m.zip", to, credentials=TRUSTED, max_bytes=100_000)


def test_a_damaged_archive_is_an_error(site: Site, to: Path) -> None:
    """A truncated archive is reported as damaged."""
    site.files["/m.tgz"] = _tar(("model.bin", bytes(range(256)) * 40))[:200]
    with pytest.raises(FetchError, match=r"m\.tgz cannot be unpacked"):
        fetch(f"{site.url}/m.tgz", to, credentials=TRUSTED)


@pytest.mark.parametrize(
    ("secret", "sent"),
    [
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"username": "u", "password": "p"}, "Basic dTpw"),
    ],
)
def test_credentials_are_sent(site: Site, to: Path, secret: dict[str, str], sent: str) -> None:
    """A token goes as bearer token, a user name and password as basic authentication."""
    site.files["/model.onnx"] = b"x"
    site.authorization = sent
    fetch(f"{site.url}/model.onnx", to, credentials=_with(secret))
    assert site.seen == [("/model.onnx", sent)]


def test_credentials_do_not_follow_a_redirect(site: Site, elsewhere: Site, to: Path) -> None:
    """A redirect to another host does not get the credentials."""
    elsewhere.files["/model.onnx"] = b"x"
    site.redirects["/latest/model.onnx"] = f"{elsewhere.url}/model.onnx"
    fetch(f"{site.url}/latest/model.onnx", to, credentials=_with({"token": "t"}))
    assert site.seen == [("/latest/model.onnx", "Bearer t")]
    assert elsewhere.seen == [("/model.onnx", None)]


def test_a_redirect_out_of_tls_is_rejected(site: Site, to: Path) -> None:
    """A redirect to plain HTTP is rejected, because the model could be changed in transit."""
    site.redirects["/model.onnx"] = "http://127.0.0.1:9/model.onnx"
    with pytest.raises(FetchError, match=r"no.* https://"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED)


def test_plain_http_is_rejected(to: Path) -> None:
    """Plain HTTP is rejected without a request."""
    with pytest.raises(FetchError, match=r"no.* https://"):
        fetch("http://127.0.0.1:9/model.onnx", to)


def test_a_server_without_a_trusted_certificate_is_rejected(site: Site, to: Path) -> None:
    """Without the CA the server's certificate is rejected."""
    site.files["/model.onnx"] = b"x"
    with pytest.raises(FetchError, match=r"CERTIFICATE_VERIFY_FAILED.* key ca\.crt"):
        fetch(f"{site.url}/model.onnx", to)


def test_missing_credentials_name_the_field(site: Site, to: Path) -> None:
    """The message of a 401 names spec.model.secretName."""
    site.authorization = "Bearer other"
    with pytest.raises(FetchError, match=r"401 .*spec\.model\.secretName"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED)


def test_a_missing_file_names_the_field(site: Site, to: Path) -> None:
    """The message of a 404 names spec.model.storageUri without the URL's query."""
    with pytest.raises(FetchError, match=r"404 .*spec\.model\.storageUri") as failure:
        fetch(f"{site.url}/model.onnx?signature=secret", to, credentials=TRUSTED)
    assert "secret" not in str(failure.value)


def test_a_cut_connection_is_no_model(site: Site, to: Path) -> None:
    """Fewer bytes than announced are an error, and nothing is published."""
    site.files["/model.onnx"] = b"0123456789"
    site.cut = True
    with pytest.raises(FetchError, match="ended 5 bytes before the end"):
        fetch(f"{site.url}/model.onnx", to, credentials=TRUSTED, patience=IMPATIENT)


def test_an_address_without_a_file_name_is_rejected(site: Site, to: Path) -> None:
    """A URL without a file name is rejected."""
    with pytest.raises(FetchError, match="file name"):
        fetch(f"{site.url}/", to, credentials=TRUSTED)
