"""How the operator authenticates to Prometheus."""

import base64
from pathlib import Path

import pytest

from halimede.adapters.prometheus import PrometheusReader
from halimede.adapters.prometheus_auth import PrometheusAuth
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.queries import plan_queries
from halimede.judge.reading import CounterSamples, Unavailable
from tests.support.http_stub import Server
from tests.support.series import request

HIDDEN = "open-sesame"
"""Secrets that no message may contain."""
OLD, NEW = "before", "after"


def write(folder: Path, **texts: str) -> Path:
    """Write files; `_` in a name stands for a dot."""
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


async def said(server: Server, folder: Path) -> Unavailable | CounterSamples:
    """Send one query and return the message about the router."""
    metrics = PrometheusReader(server.url, credentials=str(folder))
    try:
        return (await metrics.read(plan_queries(request()))).answers[Source.ROUTER]
    finally:
        metrics.close()


async def test_a_user_and_password_are_basic_authentication(
    server: Server, tmp_path: Path
) -> None:
    """They are sent as UTF-8, without the final line break that editors add."""
    write(tmp_path, username="me\n", password=f"{HIDDEN}\u00fc\n")
    assert isinstance(await said(server, tmp_path), CounterSamples)
    scheme, _, encoded = server.received[0]["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == f"me:{HIDDEN}\u00fc"


async def test_a_token_is_sent_as_bearer(server: Server, tmp_path: Path) -> None:
    """A token, such as the service account's, is sent as bearer token."""
    await said(server, write(tmp_path, token=HIDDEN))
    assert server.received[0]["Authorization"] == f"Bearer {HIDDEN}"


async def test_a_token_that_no_header_can_hold_is_rejected(server: Server, tmp_path: Path) -> None:
    """Nothing is sent, and the message names the file but not its content."""
    answer = await said(server, write(tmp_path, token=f"{HIDDEN}\u0142"))
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.NOT_CONFIGURED
    assert "token must be ASCII" in answer.message
    assert HIDDEN not in answer.message
    assert server.received == []


async def test_headers_are_sent_as_they_are(server: Server, tmp_path: Path) -> None:
    """Headers are sent unchanged: Mimir, Cortex and Thanos use one for the tenant."""
    headers = "X-Scope-OrgID: team-a\n\nX-Other:b \n"
    await said(server, write(tmp_path, headers=headers))
    assert server.received[0]["X-Scope-OrgID"] == "team-a"
    assert server.received[0]["X-Other"] == "b"


async def test_a_rotated_token_counts_at_the_next_query(server: Server, tmp_path: Path) -> None:
    """A renewed Secret is used without a restart of the operator."""
    metrics = PrometheusReader(server.url, credentials=str(write(tmp_path, token=OLD)))
    await metrics.read(plan_queries(request()))
    write(tmp_path, token=NEW)
    await metrics.read(plan_queries(request()))
    metrics.close()
    sent = [headers["Authorization"] for headers in server.received]
    assert sent == [f"Bearer {OLD}"] * 2 + [f"Bearer {NEW}"] * 2


async def test_without_files_nothing_is_shown(server: Server, tmp_path: Path) -> None:
    """An empty Secret means no authentication."""
    await said(server, tmp_path)
    assert "Authorization" not in server.received[0]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"token": HIDDEN, "username": "me", "password": HIDDEN}, "both token and username"),
        ({"username": "me"}, "username but no password"),
        ({"password": HIDDEN}, "password but no username"),
        ({"tls_crt": HIDDEN}, "tls.crt but no tls.key"),
        ({"tls_key": HIDDEN}, "tls.key but no tls.crt"),
        ({"token": f"{HIDDEN}\nX: y"}, "token must be one line"),
        ({"headers": f"a: b\n{HIDDEN}"}, "headers, line 2, is not a header"),
    ],
)
async def test_inconsistent_files_are_named_with_a_remedy(
    server: Server, tmp_path: Path, texts: dict[str, str], words: str
) -> None:
    """Nothing is sent, and the message contains no secret."""
    answer = await said(server, write(tmp_path, **texts))
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.NOT_CONFIGURED
    assert words in answer.message
    assert "operator.prometheus.secretName" in answer.message
    assert HIDDEN not in answer.message
    assert server.received == []


async def test_what_is_no_text_is_named(server: Server, tmp_path: Path) -> None:
    """A Secret with other bytes than text is rejected by name."""
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    answer = await said(server, tmp_path)
    assert isinstance(answer, Unavailable)
    assert "token must be UTF-8 text" in answer.message


async def test_a_file_that_cannot_be_read_is_named(server: Server, tmp_path: Path) -> None:
    """A folder in place of the file is reported by name."""
    (tmp_path / "token").mkdir()
    answer = await said(server, tmp_path)
    assert isinstance(answer, Unavailable)
    assert f"{tmp_path / 'token'} cannot be read" in answer.message


async def test_no_error_contains_the_secret(server: Server, tmp_path: Path) -> None:
    """Messages go to conditions, Events and logs, so they contain no secret."""
    server.status = 401
    answer = await said(server, write(tmp_path, token=HIDDEN))
    assert isinstance(answer, Unavailable)
    assert "operator.prometheus.secretName" in answer.message
    assert HIDDEN not in answer.message
    assert HIDDEN not in repr(PrometheusAuth.read(tmp_path))


@pytest.mark.parametrize("location", ["http://elsewhere.example/", "//elsewhere.example/"])
async def test_the_secret_is_sent_to_no_other_host(
    server: Server, tmp_path: Path, location: str
) -> None:
    """A redirect to another host is rejected with that host's name."""
    server.status = 307
    server.headers = {"Location": location}
    answer = await said(server, write(tmp_path, headers=f"X-Key: {HIDDEN}"))
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.REJECTED
    assert "redirects to http://elsewhere.example" in answer.message


async def test_a_certificate_authority_that_is_none_is_unreachable(
    server: Server, tmp_path: Path
) -> None:
    """An invalid CA fails before anything is sent."""
    server.url = server.url.replace("http://", "https://")
    answer = await said(server, write(tmp_path, ca_crt="no certificate", token=HIDDEN))
    assert isinstance(answer, Unavailable)
    assert answer.why is UnavailableReason.UNREACHABLE
    assert HIDDEN not in answer.message
