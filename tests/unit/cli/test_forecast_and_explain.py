"""The commands `forecast` and `explain`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from halimede.cli.main import main

ROOT = Path(__file__).parents[3]
EXPLAINED = ROOT / "tests" / "unit" / "rollout" / "explained"
OBJECT = "/apis/halimede.dev/v1alpha1/namespaces/demo/modeldeployments/digits"


def test_forecast_reads_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`forecast` prints the bake of a blue-green example with the given traffic."""
    file = str(ROOT / "examples" / "blue-green.yaml")
    assert main(["forecast", file, "--rate", "5", "--stable-error", "0.1"]) == 0
    printed = capsys.readouterr().out
    first = "doubler-blue-green: BlueGreen at 5 requests/s, of which 0.1 % fail"
    assert printed.startswith(first)
    assert "A revision that is bad in the bake" in printed


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "many", "1e9"])
def test_a_rate_that_is_none_is_rejected(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid rate is rejected with the option and its valid values."""
    with pytest.raises(SystemExit) as ended:
        main(["forecast", "model.yaml", f"--rate={rate}"])
    assert ended.value.code == 2
    assert "--rate: " in (complaint := capsys.readouterr().err)
    assert "it must be more than 0" in complaint


@pytest.mark.parametrize("errors", ["-1", "100", "nan", "few"])
def test_an_error_rate_that_is_none_is_rejected(
    errors: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stable error rate of 100 % is rejected."""
    with pytest.raises(SystemExit) as ended:
        main(["forecast", "model.yaml", "--rate=1", f"--stable-error={errors}"])
    assert ended.value.code == 2
    assert "--stable-error: " in (complaint := capsys.readouterr().err)
    assert "less than 100" in complaint


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """Serve the recorded object as an API server does, and name the server in a kubeconfig."""
    recorded = yaml.safe_load((EXPLAINED / "stopped.yaml").read_text())

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == OBJECT
            body = json.dumps(recorded if known else {"message": "not found"}).encode()
            self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        file = tmp_path / "kubeconfig"
        named = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
            ],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file.write_text(yaml.safe_dump(named))
        yield file
        server.shutdown()
        thread.join()


def ask(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `halimede explain` in a process, because the library reads KUBECONFIG only once."""
    return subprocess.run(
        [sys.executable, "-m", "halimede", "explain", *arguments],
        env=os.environ | {"KUBECONFIG": str(kubeconfig)},
        cwd=kubeconfig.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_explain_reads_the_object_and_explains_it(kubeconfig: Path) -> None:
    """It prints only the explanation."""
    asked = ask(kubeconfig, "digits", "-n", "demo")
    expected = (EXPLAINED / "stopped.txt").read_text()
    assert (asked.returncode, asked.stdout) == (0, expected), asked.stderr


def test_explain_fails_without_the_object(kubeconfig: Path) -> None:
    """Without a namespace the object is read from `default`."""
    asked = ask(kubeconfig, "digits")
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "halimede: there is no ModelDeployment digits in namespace default" in asked.stderr
