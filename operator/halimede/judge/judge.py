"""Judge a new revision by its errors, at any time and as often as one likes.

See `begin` and `judge`.
"""

from collections.abc import Mapping

from halimede.api.rollout import Analysis
from halimede.api.status import Evidence
from halimede.judge.reading import History, Reading
from halimede.judge.verdict import Judgement


def begin(
    analysis: Analysis,
    steps: int,
    history: History | None,
    now: float,
    *,
    previous: Evidence | None = None,
) -> Evidence:
    """Fix what every step must show, and start to count at *now*: the warm-up is over.

    Call it with the history of a reading whose request's `since` was None. While a source of the
    history cannot be read, the answer has no sources and the verdict `MetricsDown`: it has not
    begun, `since` of it is still None, and the next poll calls `begin` again with the answer as
    *previous*.
    """
    raise NotImplementedError


def judge(
    evidence: Evidence,
    reading: Reading,
    analysis: Analysis,
    step: int,
    steps: int,
    now: float,
    *,
    pods_started: Mapping[str, float] | None = None,
) -> Judgement:
    """Add what the reading shows to the evidence and say what it allows in *step* (from 0).

    *pods_started* tells when pods started (UNIX seconds by pod name): the first sample of a pod
    that started after the watermark counts from zero. Without it such a pod's requests before
    its first scrape are left out.
    """
    raise NotImplementedError
