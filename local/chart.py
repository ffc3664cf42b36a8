"""Install Halimede into a cluster as users do: by its chart, with helm."""

from local import folders
from local.access import Access
from local.addresses import PROMETHEUS_URL

CHART = folders.SOURCE.parent / "charts" / "halimede"
NAMESPACE = "halimede-system"
"""Where the operator runs."""


def install(cluster: Access, **operator: str) -> None:
    """Install the operator, or upgrade it, and return when it is ready.

    ``operator`` are values of the chart's section of that name. Raise ``ClusterError``.
    """
    values = {"prometheus.url": PROMETHEUS_URL, **operator}
    settings = [
        part for key, value in values.items() for part in ("--set", f"operator.{key}={value}")
    ]
    cluster.helm(
        "upgrade", "--install", "halimede", str(CHART), "--namespace", NAMESPACE,
        "--create-namespace", *settings, "--wait", "--timeout", "90s",
    )  # fmt: skip
