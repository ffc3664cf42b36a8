"""Counters as a Prometheus would hold them: of one Envoy and of every Triton pod."""

from collections import defaultdict
from dataclasses import dataclass, field

from halimede.api.analysis import Analysis
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.reading import (
    Answer,
    CounterSamples,
    History,
    MetricsRequest,
    Reading,
    Sample,
    Series,
    Unavailable,
    sources,
)

HISTORY_SECONDS = 7200.0
LOOKBACK_SECONDS = 600.0
Labels = tuple[tuple[str, str], ...]


@dataclass
class FakePrometheus:
    """Counts requests, and takes samples of the counters when `scrape` is called."""

    up: bool = True
    counters: defaultdict[Labels, float] = field(default_factory=lambda: defaultdict(float))
    samples: defaultdict[Labels, list[Sample]] = field(default_factory=lambda: defaultdict(list))
    asked: list[MetricsRequest] = field(default_factory=list)

    def count(
        self,
        cluster: str,
        pod: str,
        requests: float,
        errors: float,
        *,
        client_errors: float = 0.0,
        left: float = 0.0,
    ) -> None:
        """Count HTTP requests that a router sent to a pod.

        Args:
            cluster: The router's name for the Service.
            pod: The pod's name.
            requests: The number of requests.
            errors: How many of them ended in a 500.
            client_errors: How many of them ended in a 400, before any inference.
            left: How many of them ended without an answer, because the client left.
        """
        envoy = (("instance", "envoy-1"), ("envoy_cluster_name", cluster))
        xx = ("__name__", "envoy_cluster_upstream_rq_xx")
        abandoned = ("__name__", "envoy_cluster_upstream_cx_destroy_local_with_active_rq")
        self._add((*envoy, ("__name__", "envoy_cluster_upstream_rq_total")), requests)
        self._add((*envoy, abandoned), left)
        good = requests - errors - client_errors - left
        self._add((*envoy, xx, ("envoy_response_code_class", "2")), good)
        for response, amount in (("4", client_errors), ("5", errors)):
            if amount:
                self._add((*envoy, xx, ("envoy_response_code_class", response)), amount)
        triton = (("pod", pod), ("instance", pod), ("model", "digits"), ("version", "1"))
        success = (*triton, ("__name__", "nv_inference_request_success"))
        self._add(success, requests - client_errors - left)

    def _add(self, labels: Labels, amount: float) -> None:
        self.counters[labels] += amount

    def scrape(self, now: float) -> None:
        """Take a sample of every counter, in whole requests."""
        for labels, value in self.counters.items():
            self.samples[labels].append(Sample(now, float(int(value))))

    def read(self, request: MetricsRequest) -> Reading:
        """Return what the judge requests."""
        self.asked.append(request)
        names = sources(self._analysis(request))
        if request.since is None:
            since = request.now - HISTORY_SECONDS
            answers = {name: self._answer(name, since, (request.stable,)) for name in names}
            return Reading(request, history=History(request, answers))
        since = request.since - LOOKBACK_SECONDS
        both = (request.stable, request.canary)
        return Reading(request, {name: self._answer(name, since, both) for name in names})

    def _answer(self, source: str, since: float, revisions: tuple[str, ...]) -> Answer:
        if not self.up:
            return Unavailable(
                UnavailableReason.UNREACHABLE, "Prometheus does not answer; set its address."
            )
        series = []
        for labels, samples in self.samples.items():
            by_name = dict(labels)
            router = "envoy_cluster_name" in by_name
            owner = by_name.get("envoy_cluster_name") or by_name["pod"]
            if router is (source is Source.ROUTER) and any(
                revision in owner for revision in revisions
            ):
                recent = tuple(sample for sample in samples if sample.at >= since)
                if recent:
                    series.append(Series(by_name, recent))
        return CounterSamples(tuple(series))

    @staticmethod
    def _analysis(request: MetricsRequest) -> Analysis:
        return Analysis(provider=request.provider)
