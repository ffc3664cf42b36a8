"""The edge of the command: what reaches the log and the pod's status, and the exit status."""

import hashlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import halimede_fetch
from halimede_fetch import obtain, report
from halimede_fetch.exit_codes import NO_SECRET, TRY_AGAIN
from halimede_fetch.main import main
from tests.unit.fetch.conftest import TRUSTED, Site, mount_secret

SECRET = "s3cr3t"
DIGEST = f"sha256:{hashlib.sha256(b'x').hexdigest()}"
"""What the operator reads in the pod's status once a file with the content `x` is fetched."""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    to: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that runs the command and returns its status and message."""
    log = tmp_path / "termination-log"
    monkeypatch.setattr(report, "TERMINATION_LOG", log)

    def run(source: object, *arguments: str, **secret: str | bytes) -> tuple[int, str]:
        if secret:
            folder = mount_secret(tmp_path / "secret", secret)
            arguments = (*arguments, "--credentials", str(folder))
        log.write_text("")
        status = main(["fetch", "--source", str(source), "--to", str(to), *arguments])
        printed, message = capsys.readouterr(), log.read_text("utf-8")
        assert printed.err == (f"{message}\n" if status else "")
        assert SECRET not in f"{printed} {message}"
        assert "Traceback" not in printed.err
        return status, message

    return run


def test_the_digest_is_printed(
    to: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a file, its digest for spec.model.sha256 is in the log."""
    source = tmp_path / "model.onnx"
    source.write_bytes(b"x")
    assert main(["fetch", "--source", str(source), "--to", str(to)]) == 0
    assert (
        "sha256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
        in capsys.readouterr().out
    )


def test_a_token_from_a_file_is_sent_without_its_line_break(
    site: Site, run: Run, to: Path
) -> None:
    """`kubectl create secret generic --from-file=token` keeps the file's last line break."""
    site.files["/model.onnx"] = b"x"
    site.authorization = f"Bearer {SECRET}"
    ca = {"ca.crt": TRUSTED.ca or ""}
    assert run(f"{site.url}/model.onnx", token=f"{SECRET}\n", **ca) == (0, DIGEST)
    assert (to / "1" / "model.onnx").read_bytes() == b"x"


@pytest.mark.parametrize("token", [f"{SECRET}\nX: y", f"{SECRET}é", f"{SECRET}€", f"\x01{SECRET}"])
def test_a_token_that_cannot_be_sent(run: Run, token: str) -> None:
    """The status of the pod names the key."""
    status, message = run("https://127.0.0.1:1/model.onnx", token=token)
    assert status == 1
    assert message.startswith("the key token of the Secret named by spec.model.secretName")


@pytest.mark.parametrize(
    "ca", ["no certificate", "é", "-----BEGIN CERTIFICATE-----\n", b"\xff\xfe"]
)
def test_a_ca_that_is_none(run: Run, ca: str | bytes) -> None:
    """The status of the pod names the key."""
    status, message = run("https://127.0.0.1:1/model.onnx", **{"ca.crt": ca})
    assert status == 1
    assert message.startswith("the key ca.crt of the Secret named by spec.model.secretName")


def test_a_missing_secret_has_a_status_of_its_own(run: Run, tmp_path: Path) -> None:
    """The operator reports the Secret, and does not count restarts after it as crashes."""
    folder = tmp_path / "empty"
    folder.mkdir()
    assert run("https://127.0.0.1:1/model.onnx", "--credentials", str(folder)) == (
        NO_SECRET,
        (
            "the Secret named by spec.model.secretName does not exist or is empty: create it, or"
            " add its keys"
        ),
    )


def test_the_environment_is_not_read(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable would be seen by every child process and in crash dumps."""
    monkeypatch.setenv("HALIMEDE_FETCH_TOKEN", SECRET)
    site.files["/model.onnx"] = b"x"
    assert run(f"{site.url}/model.onnx", **{"ca.crt": TRUSTED.ca or ""}) == (0, DIGEST)
    assert site.seen == [("/model.onnx", None)]


def test_a_failure_that_may_pass_has_a_status_of_its_own(site: Site, run: Run) -> None:
    """The operator does not count restarts after it as crashes."""
    site.slow["/model.onnx"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"
    ca = {"ca.crt": TRUSTED.ca or ""}
    status, message = run(f"{site.url}/model.onnx", "--timeout-seconds", "0.3", **ca)
    assert status == TRY_AGAIN
    assert "spec.model.fetchTimeoutSeconds (0.3 s)" in message


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ValueError(f"Invalid header value b'Bearer {SECRET}'"), "unexpected ValueError"),
        (RuntimeError(SECRET), "unexpected RuntimeError"),
        (MemoryError(SECRET), "unexpected MemoryError"),
        (RecursionError(SECRET), "unexpected RecursionError"),
        (OSError(28, "No space left on device", "/models/x"), "/models/x .* No space left"),
        (OSError(SECRET), "OSError"),
    ],
)
def test_of_an_unknown_error_only_the_type_is_printed(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, says: str
) -> None:
    """Whatever a library raises, its text could contain a credential."""

    def fail(*_: object) -> None:
        raise error

    (tmp_path / "model.py").write_text("x")
    monkeypatch.setattr(obtain, "arrange", fail)
    status, message = run(tmp_path / "model.py")
    assert status == 1
    assert re.search(says, message)


def test_a_message_is_one_short_line(run: Run, tmp_path: Path) -> None:
    """Names that others chose can neither break lines nor hide the rest of a message."""
    status, message = run(tmp_path / ("n" * 200) / ("m" * 200) / "\x1b[31m\n\udcff")
    assert status == 1
    assert message.isprintable()
    assert len(message) <= report.LONGEST_MESSAGE + 1


def test_a_limit_applies_to_the_command(run: Run, tmp_path: Path) -> None:
    """`--max-bytes` is what the pod gets from spec.model.maxSize."""
    (tmp_path / "model.onnx").write_bytes(bytes(5000))
    status, message = run(tmp_path / "model.onnx", "--max-bytes", "29000")
    assert (status, "spec.model.maxSize (29000 bytes" in message) == (1, True)


def test_native_code_is_an_option(run: Run, tmp_path: Path, to: Path) -> None:
    """`--allow-native-code` is what the pod gets from spec.model.allowNativeCode."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "libtriton_python.so").write_text("x")
    status, message = run(tmp_path / "source")
    assert (status, "spec.model.allowNativeCode" in message) == (1, True)
    assert not to.exists()
    assert run(tmp_path / "source", "--allow-native-code")[0] == 0


def test_the_choice_of_files_is_an_option(run: Run, tmp_path: Path, to: Path) -> None:
    """The pod gets these arguments from spec.model.supply."""
    (tmp_path / "source").mkdir()
    for name in ("-a.onnx", "b.onnx", "c.pkl", "d.txt"):
        (tmp_path / "source" / name).write_text("x")
    status, message = run(tmp_path / "source")
    assert (status, "'c.pkl' is loaded by pickle" in message) == (1, True)
    chosen = ("--include=-*", "--include=*.pkl", "--include=*.txt", "--exclude=d*")
    status, message = run(tmp_path / "source", *chosen, "--allow-format=onnx")
    assert (status, "spec.model.supply.allowedFormats" in message) == (1, True)
    assert not to.exists()
    assert (
        run(tmp_path / "source", *chosen, "--allow-format=onnx", "--allow-format=pickle")[0] == 0
    )
    assert {path.name for path in (to / "1").iterdir()} == {"-a.onnx", "c.pkl"}


def test_a_fetch_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """Given a server that does not answer, SIGTERM ends the fetch and removes what it began."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"https://127.0.0.1:{server.getsockname()[1]}/model.onnx"
        command = ("-m", "halimede_fetch", "fetch", "--source", source, "--to", tmp_path / "model")
        folder = Path(halimede_fetch.__file__).parents[1]
        with subprocess.Popen([sys.executable, *command], cwd=folder) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                process.terminate()
                process.wait()
    assert (process.returncode, list(tmp_path.iterdir())) == (128 + signal.SIGTERM, [])


def test_the_program_ends_without_the_end_of_the_interpreter(tmp_path: Path) -> None:
    """Given threads of a library that still run, then they cannot change the exit status."""
    code = (
        "import atexit; from halimede_fetch.main import run;"
        "atexit.register(print, 'the interpreter ends'); run()"
    )
    arguments = ("fetch", "--source", tmp_path / "none", "--to", tmp_path / "model")
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(halimede_fetch.__file__).parents[1],
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "does not exist" in ended.stderr
