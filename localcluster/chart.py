"""Install Halimede into a cluster as users do: by its chart, with helm."""

from pathlib import Path

from localcluster import diagnosis, folders
from localcluster.access import Access, ClusterError
from localcluster.addresses import PROMETHEUS_URL

CHART = folders.SOURCE.parent / "charts" / "halimede"
NAMESPACE = "halimede-system"
"""Where the operator runs."""
REPOSITORY = "localhost/halimede"
"""The repository of the operator's image; the process node runs the checkout for it, and also for
the fetcher's image, which the chart looks for beside it."""


WITHIN = 90
"""Seconds for the operator to become ready."""


def install(
    cluster: Access, *, within: int = WITHIN, chart: Path = CHART, **operator: str
) -> None:
    """Install the operator, or upgrade it, and return when it is ready.

    ``chart`` is the folder of the chart, for another release than that of the checkout.
    ``operator`` holds values of the chart's section of that name. Raise ``ClusterError`` with the
    state, the events and the last log lines of the operator's pods if it is not ready ``within``
    seconds.
    """
    values = {"prometheus.url": PROMETHEUS_URL, **operator}
    settings = ["--set", f"image.repository={REPOSITORY}"]
    # Prometheus scrapes every pod here, without a token.
    settings += ["--set", "metrics.authentication=false"]
    for key, value in values.items():
        settings += ["--set", f"operator.{key}={value}"]
    try:
        cluster.helm(
            "upgrade", "--install", "halimede", str(chart), "--namespace", NAMESPACE,
            "--create-namespace", *settings, "--wait", "--timeout", f"{within}s",
        )  # fmt: skip
    except ClusterError as error:
        state = diagnosis.describe_namespace(cluster, NAMESPACE)
        raise ClusterError(f"{error}\n{state}") from error
