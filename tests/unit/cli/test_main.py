"""The console command."""

import json
from pathlib import Path

import pytest
import yaml

from halimede.cli.main import main

ROOT = Path(__file__).parents[3]


def test_render_shows_what_becomes_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A ModelDeployment and its ConfigMap are rendered as all children, in plain YAML."""
    assert main(["render", str(ROOT / "examples" / "canary.yaml")]) == 0
    printed = capsys.readouterr().out
    kinds = [document["kind"] for document in yaml.safe_load_all(printed)]
    assert sorted(kinds) == [
        "ConfigMap",
        "Deployment",
        "HTTPRoute",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]
    assert "&id" not in printed


@pytest.mark.parametrize("command", [["render"], ["forecast", "--rate", "1"]])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not valid YAML"),
        ("- 1\n", "not a Kubernetes object"),
        ("kind: ConfigMap\nmetadata: {name: x}\n", "no ModelDeployment"),
        ("kind: ModelDeployment\nmetadata: {name: x}\nspec: {replicas: 1}\n", "spec.model"),
        ("---\n---\nkind: ConfigMap\n", "document 2 (ConfigMap) has no metadata"),
    ],
)
def test_a_command_names_what_is_wrong_with_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], text: str, says: str
) -> None:
    """The file and the field are named, without a traceback."""
    file = tmp_path / "model.yaml"
    file.write_text(text)
    assert main([*command, str(file)]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"halimede: {file}: ")
    assert says in complaint


@pytest.mark.parametrize("command", [["render"], ["forecast", "--rate", "5"]])
def test_odd_files_are_no_tracebacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Each command that reads a file fails with the file's error."""
    file = tmp_path / "model.yaml"
    for content in (b"", b"[]", b"\xff", b"\x00", b"a: *b", b"kind: ModelDeployment", b"[" * 9999):
        file.write_bytes(content)
        assert main([*command, str(file)]) == 1
        assert capsys.readouterr().err.startswith(f"halimede: {file}: ")


def test_render_quotes_what_readers_take_for_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Strings that look like booleans or numbers reach the cluster as strings."""
    words = ("y", "n", "yes", "no", "on", "off", "1e3", "012", "0x1f", "1:30", "null", "~")
    _, model = yaml.safe_load_all((ROOT / "examples" / "https.yaml").read_text())
    model["spec"]["podTemplate"] = {
        "metadata": {"annotations": {word: word for word in words}},
        "spec": {"containers": [{"name": "triton", "env": [{"name": "E", "value": "y"}]}]},
    }
    file = tmp_path / "model.yaml"
    file.write_text(json.dumps(model))
    assert main(["render", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "value: 'y'" in printed
    for word in words:
        assert f"'{word}': '{word}'" in printed


def test_render_reports_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file gives a message, not a traceback."""
    assert main(["render", "missing.yaml"]) == 1
    assert "No such file" in capsys.readouterr().err


def test_the_printed_crd_is_the_committed_one(capsys: pytest.CaptureFixture[str]) -> None:
    """The output of `halimede crd` is the committed file."""
    assert main(["crd"]) == 0
    committed = ROOT / "crds" / "halimede.dev_modeldeployments.yaml"
    assert capsys.readouterr().out == committed.read_text()


def test_unusable_settings_end_it_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Invalid settings exit with status 2 and name the variable."""
    monkeypatch.setenv("HALIMEDE_WORKERS", "many")
    assert main(["run"]) == 2
    assert "HALIMEDE_WORKERS is 'many'" in capsys.readouterr().err
