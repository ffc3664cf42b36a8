"""The operator's settings: everything that the environment may say, and nothing else does."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar, get_args

from halimede.adapters.errors import SettingsError
from halimede.log import LogFormat, LogLevel
from halimede.render.images import Platform

LOG_FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

C = TypeVar("C", bound=str)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator was told when it was started."""

    image: str = "halimede:0.1.0"
    """HALIMEDE_IMAGE: this operator's own image; its `fetch` command brings the models in."""
    namespaces: tuple[str, ...] = ()
    """HALIMEDE_NAMESPACES: the namespaces to serve, with commas between; empty: all."""
    prometheus_url: str | None = None
    """HALIMEDE_PROMETHEUS_URL: where rollouts are judged from; empty: nowhere, none is judged."""
    prometheus_credentials: str | None = None
    """HALIMEDE_PROMETHEUS_CREDENTIALS: a folder with any of the files username and password,
    token, headers (one in each line), ca.crt, tls.crt and tls.key; they are read anew when they
    change."""
    prometheus_insecure_skip_verify: bool = False
    """HALIMEDE_PROMETHEUS_INSECURE_SKIP_VERIFY: believe any certificate of Prometheus's."""
    triton_repository: str = "nvcr.io/nvidia/tritonserver"
    """HALIMEDE_TRITON_REPOSITORY: the image that `spec.runtime.version` picks a tag of."""
    workers: int = 10
    """HALIMEDE_WORKERS: how many ModelDeployments are worked on at a time."""
    resync_seconds: float = 300.0
    """HALIMEDE_RESYNC_SECONDS: how often each is looked at although nothing is known to change."""
    http_port: int = 8080
    """HALIMEDE_HTTP_PORT: where /healthz, /readyz and /metrics are served; 0: any free port."""
    log_format: LogFormat = "json"
    """HALIMEDE_LOG_FORMAT: `json` for machines, `text` for people."""
    log_level: LogLevel = "INFO"
    """HALIMEDE_LOG_LEVEL: DEBUG, INFO, WARNING or ERROR. INFO logs one line for each pass that
    writes something, DEBUG one for each pass."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            SettingsError: A variable holds something unusable.
        """
        plain = cls()
        given = {
            name.removeprefix("HALIMEDE_").lower(): value.strip()
            for name, value in env.items()
            if name.startswith("HALIMEDE_") and value.strip()
        }
        return cls(
            image=given.get("image", plain.image),
            namespaces=_names(given.get("namespaces", "")),
            prometheus_url=_url(given.get("prometheus_url")),
            prometheus_credentials=given.get("prometheus_credentials"),
            prometheus_insecure_skip_verify=_choice(
                "prometheus_insecure_skip_verify", given, default="false", of=("true", "false")
            )
            == "true",
            triton_repository=given.get("triton_repository", plain.triton_repository),
            workers=_int_between("workers", given, default=plain.workers, low=1, high=100),
            resync_seconds=_int_between("resync_seconds", given, default=300, low=10, high=86400),
            http_port=_int_between("http_port", given, default=plain.http_port, low=0, high=65535),
            log_format=_choice("log_format", given, default=plain.log_format, of=LOG_FORMATS),
            log_level=_choice("log_level", given, default=plain.log_level, of=LOG_LEVELS),
        )

    def platform(self) -> Platform:
        """Say what rendering needs to know of these."""
        return Platform(self.image, self.triton_repository)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an `https://` model source is told about us."""

    token: str | None = None
    """HALIMEDE_FETCH_TOKEN: sent as a bearer token."""
    username: str | None = None
    """HALIMEDE_FETCH_USERNAME: with the password, sent as basic authentication."""
    password: str | None = None
    """HALIMEDE_FETCH_PASSWORD."""
    ca: str | None = None
    """HALIMEDE_FETCH_CA.CRT: certificates to trust besides the system's, as PEM text."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the credentials; absent and empty are the same.

        The pod gets a Secret's keys with a prefix, in the case that they are written in.
        """
        known = {name.upper(): value for name, value in env.items()}
        return cls(
            token=known.get("HALIMEDE_FETCH_TOKEN") or None,
            username=known.get("HALIMEDE_FETCH_USERNAME") or None,
            password=known.get("HALIMEDE_FETCH_PASSWORD") or None,
            ca=known.get("HALIMEDE_FETCH_CA.CRT") or None,
        )


NO_CREDENTIALS = Credentials()
"""No credentials at all."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _url(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.startswith(("http://", "https://")):
        raise SettingsError(
            f"HALIMEDE_PROMETHEUS_URL is {text!r}: give a whole URL, such as"
            " http://prometheus.monitoring:9090, or nothing"
        )
    if "@" in text.split("/")[2]:
        raise SettingsError(
            "HALIMEDE_PROMETHEUS_URL holds a user or password, which would show in logs: put them"
            " into files and name their folder in HALIMEDE_PROMETHEUS_CREDENTIALS"
        )
    return text.rstrip("/")


def _int_between(name: str, given: Mapping[str, str], *, default: int, low: int, high: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(
            f"HALIMEDE_{name.upper()} is {text!r}: give a whole number from {low} to {high}"
        )
    return int(text)


def _choice(name: str, given: Mapping[str, str], *, default: C, of: tuple[C, ...]) -> C:
    text: str = given.get(name, default)
    for choice in of:
        if text.lower() == choice.lower():
            return choice
    raise SettingsError(f"HALIMEDE_{name.upper()} is {text!r}: give one of {', '.join(of)}")
