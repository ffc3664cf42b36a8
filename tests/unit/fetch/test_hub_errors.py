"""What a hub refuses: the message in the pod's status, and the exit status."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from halimede_fetch import report
from halimede_fetch.errors import FetchError, TransientFetchError
from halimede_fetch.exit_codes import TRY_AGAIN
from halimede_fetch.main import main
from halimede_fetch.patience import Patience
from tests.support.fake_hub import Fault, Hub, Repository
from tests.support.fetching import fetch
from tests.unit.fetch.conftest import TRUSTED, mount_secret, published

TOKEN = "hf_token"
NEXT = 0.001
"""The first delay in seconds."""


@dataclass
class Refusal:
    """What is wrong, and what the message says."""

    says: str
    uri: str = "hf://org/repo"
    token: str = ""
    model: Repository = field(default_factory=Repository)
    faults: dict[str, Fault] = field(default_factory=dict)


REFUSALS = {
    "no such model": Refusal(
        "the model org/other does not exist on HOST, or is not public: correct"
        " spec.model.storageUri, or put a token that may read it as the key HF_TOKEN into the"
        " Secret named by spec.model.secretName",
        "hf://org/other",
    ),
    "no such model for the token": Refusal(
        "the model org/other does not exist on HOST, or the token may not read it: correct"
        " spec.model.storageUri, or put another token as the key HF_TOKEN into the Secret named by"
        " spec.model.secretName",
        "hf://org/other",
        TOKEN,
    ),
    "a private model": Refusal("or is not public", model=Repository(private=True)),
    "an invalid token": Refusal(
        "HOST does not accept the token: put a new one as the key HF_TOKEN into the Secret named"
        " by spec.model.secretName",
        token="hf_old",
    ),
    "no such revision": Refusal(
        "https://HOST/org/repo has no revision 'v9': correct what follows @ in"
        " spec.model.storageUri, which is main if there is no @",
        "hf://org/repo@v9",
    ),
    "no such folder": Refusal(
        "https://HOST/org/repo has no file or folder 'onnx/fp16' in revision 'main': correct"
        " spec.model.storageUri",
        "hf://org/repo/onnx/fp16",
    ),
    "no such file": Refusal(
        "https://HOST/org/repo has no file or folder 'a.onnx' in revision 'main': correct"
        " spec.model.storageUri",
        "hf://org/repo/a.onnx",
    ),
    "no files": Refusal(
        "https://HOST/org/repo has no files in revision 'empty': correct spec.model.storageUri",
        "hf://org/repo@empty",
    ),
    "a licence, without a token": Refusal(
        "HOST lets only some users read org/repo: accept the licence on the model's page,"
        " https://HOST/org/repo, and put a token of the same user as the key HF_TOKEN into the"
        " Secret named by spec.model.secretName",
        model=Repository(gated=True),
    ),
    "a licence that is not accepted": Refusal(
        "HOST does not let the token read org/repo: accept the licence on the model's page,"
        " https://HOST/org/repo, as the user of the token, and let the token read gated models",
        token=TOKEN,
        model=Repository(gated=True, accepted=False),
    ),
    "a page of a proxy": Refusal(
        "HOST does not let the token read org/repo: accept the licence",
        token=TOKEN,
        faults={"/revision/main": Fault(status=403, body=b"<html>hf_token</html>")},
    ),
    "a model that the hub has disabled": Refusal(
        "HOST has disabled org/repo: let spec.model.storageUri lead to another model",
        token=TOKEN,
        faults={
            "/revision/main": Fault(
                status=403, headers={"X-Error-Message": "Access to this resource is disabled."}
            )
        },
    ),
    "a store that refuses": Refusal(
        "https://HOST/org/repo/resolve/COMMIT/model.onnx: the server responded with 403 Forbidden",
        faults={"/xet/SHA": Fault(status=403, body=b"<html></html>")},
    ),
    "a pattern that matches nothing": Refusal(
        "spec.model.supply leaves out every file, such as 'model.onnx'",
        "hf://org/repo --include=*.pt",
    ),
}


@pytest.fixture
def run(
    hub: Hub,
    to: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[str, str], tuple[int, str]]:
    """Return a function that runs the command and returns its status and message."""
    log = tmp_path / "termination-log"
    log.write_text("")
    monkeypatch.setattr(report, "TERMINATION_LOG", log)

    def run(arguments: str, token: str) -> tuple[int, str]:
        keys = {"ca.crt": TRUSTED.ca or ""} | ({"HF_TOKEN": token} if token else {})
        secret = mount_secret(tmp_path / "secret", keys)
        uri, *more = arguments.split()
        options = ("--to", to, "--endpoint", hub.url, "--credentials", secret)
        status = main(["fetch", "--source", uri, *map(str, options), *more])
        assert "hf_" not in str(capsys.readouterr())
        return status, log.read_text()

    return run


def test_the_commit_is_reported(hub: Hub, run: Callable[[str, str], tuple[int, str]]) -> None:
    """Given a revision, then the pod's status has the digest and the commit."""
    commit = hub.push({"model.onnx": b"graph"})
    (digest,) = hub.stored
    assert run("hf://org/repo", "") == (0, f"sha256:{digest} commit:{commit}")


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(
    hub: Hub, to: Path, run: Callable[[str, str], tuple[int, str]], name: str
) -> None:
    """Given what the hub refuses, then the message names the field and the cure."""
    refusal = REFUSALS[name]
    hub.models["org/repo"] = Repository(
        private=refusal.model.private,
        gated=refusal.model.gated,
        accepted=refusal.model.accepted,
    )
    hub.push({}, ref="empty")
    commit = hub.push({"model.onnx": b"graph"})
    (digest,) = hub.stored
    for end, fault in refusal.faults.items():
        hub.faults[end.replace("SHA", digest)] = [fault]
    status, message = run(refusal.uri, refusal.token)
    host = urlsplit(hub.url).netloc
    assert refusal.says.replace("HOST", host).replace("COMMIT", commit) in message
    assert status == 1
    assert not to.exists()


LIMITS = {
    "an HTTP header": {"Retry-After": "7"},
    "a header of the hub": {"RateLimit": '"api";r=0;t=7', "RateLimit-Policy": '"api";q=500;w=300'},
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_rate_limit_is_waited_for(
    hub: Hub, to: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Given 429 with a time, then the fetcher waits as long as it may, and goes on."""
    hub.push({"model.onnx": b"graph"})
    hub.faults["/revision/main"] = [Fault(status=429, headers=LIMITS[name])]
    patience = Patience(first_delay_seconds=NEXT, retry_seconds=0.6)
    fetch("hf://org/repo", to, endpoint=hub.url, credentials=TRUSTED, patience=patience)
    assert published(to) == {"1/model.onnx": b"graph"}
    log = capsys.readouterr().err
    assert "(429): wait, or put a token as the key HF_TOKEN" in log
    assert "next attempt in 1 s" in log


def test_a_rate_limit_that_lasts(
    hub: Hub, run: Callable[[str, str], tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given 429 again and again, then the exit status says that another attempt may succeed."""
    hub.push({"model.onnx": b"graph"})
    hub.faults["/revision/main"] = [Fault(status=429)] * 9
    monkeypatch.setitem(fetch.__kwdefaults__, "patience", Patience(retry_seconds=0))
    status, message = run("hf://org/repo", TOKEN)
    assert status == TRY_AGAIN
    assert message.endswith("limits the rate of the token's requests (429): wait")


def test_a_hub_that_is_busy(hub: Hub, to: Path) -> None:
    """Given an API or files that are busy, then they are requested again."""
    hub.push({"model.onnx": b"graph"})
    hub.faults["/revision/main"] = [Fault(status=503)]
    hub.faults[f"/tree/{hub.models['org/repo'].refs['main']}"] = [Fault(status=502)]
    hub.faults["model.onnx"] = [Fault(status=500), Fault(status=429)]
    patience = Patience(first_delay_seconds=NEXT)
    fetch("hf://org/repo", to, endpoint=hub.url, credentials=TRUSTED, patience=patience)
    assert published(to) == {"1/model.onnx": b"graph"}


ADDRESSES = {
    "no organisation": ("hf://gpt2", "does not have the form hf://ORG/REPO"),
    "another form of revisions": ("hf://org/repo:v1", "does not have the form hf://ORG/REPO"),
    "out of the model": ("hf://org/repo/a/../../b", "remove '..' from spec.model.storageUri"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(hub: Hub, to: Path, name: str) -> None:
    """Given an address that is none, then nothing is requested."""
    uri, says = ADDRESSES[name]
    with pytest.raises(FetchError, match=says):
        fetch(uri, to, endpoint=hub.url, credentials=TRUSTED)
    assert hub.asked == []


@pytest.mark.parametrize(
    "endpoint", ["", "http://h", "https://h:99999", "https://me:s3cr3t@h", "https://"]
)
def test_addresses_of_hubs(to: Path, endpoint: str) -> None:
    """Given no valid address of a hub, then the message names the field."""
    with pytest.raises(FetchError, match=r"spec\.model\.supply\.endpoint is not ") as failure:
        fetch("hf://org/repo", to, endpoint=endpoint)
    assert "s3cr3t" not in str(failure.value)


def test_a_hub_that_is_away(to: Path) -> None:
    """Given nothing at the address, then another attempt may succeed."""
    with pytest.raises(TransientFetchError, match=r"127\.0\.0\.1.* cannot be fetched"):
        fetch(
            "hf://org/repo",
            to,
            endpoint="https://127.0.0.1:9",
            patience=Patience(retry_seconds=0),
        )
