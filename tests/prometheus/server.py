"""What a Prometheus of the tests scrapes."""

from collections.abc import Sequence

import requests

from tests.prometheus.exposition import ENVOY, PODS
from tests.prometheus.products import SCRAPED

INTERVAL = "500ms"
"""Also the timeout of a scrape: Prometheus allows no longer one, and machines may be loaded."""
Job = tuple[str, dict[str, str]]
"""A page, and the labels that the scraper adds."""
JOBS: Sequence[Job] = (
    (ENVOY, {"instance": "envoy"}),
    *((page, {"instance": pod, "namespace": "ml", "pod": pod}) for pod, page in PODS.items()),
    *SCRAPED,
)


def configuration(port: int, jobs: Sequence[Job] = JOBS) -> dict[str, object]:
    """Return Prometheus's configuration in JSON, which is also YAML."""
    return {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL},
        "scrape_configs": [
            {
                "job_name": f"{number}{page}",
                "metrics_path": page,
                "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": given}],
            }
            for number, (page, given) in enumerate(jobs)
        ],
    }


def scrape_errors(url: str) -> str:
    """Describe the targets whose last scrape failed, a line each."""
    answer = requests.get(f"{url}/api/v1/targets", timeout=5).json()
    return "".join(
        f"Prometheus failed to scrape {target['scrapeUrl']}: {target['lastError']}\n"
        for target in answer["data"]["activeTargets"]
        if target["lastError"]
    )
