from halimede.api.analysis import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.certify import log_odds_pass
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import initial_evidence, summarise, update_evidence
from halimede.judge.martingales import log_mixture
from halimede.judge.reading import Counts
from halimede.judge.thresholds import levels, limits

ANALYSIS = Analysis()
BOUNDS = limits(ANALYSIS)
LEVELS = levels(ANALYSIS, 20, 0.0, 0.05)
SEEN = WindowCounts(Counts(500, 4), Counts(700, 1), 20.0, 20.0, 15.0)


def weighed() -> SourceEvidence:
    """Return the evidence of a poll in a rollout with the maximum of steps."""
    return update_evidence(
        initial_evidence("Router", BOUNDS, LEVELS, 0.0), SEEN, BOUNDS, LEVELS, tolerated=3.0
    )


def test_summarized_evidence_has_the_same_odds() -> None:
    """Condensed evidence of an ended rollout has a third of the size."""
    evidence = weighed()
    (brief,) = summarise(Evidence(levels=LEVELS, sources=(evidence,))).sources
    assert abs(log_mixture(brief.log_rel) - log_mixture(evidence.log_rel)) < 1e-5
    assert abs(log_mixture(brief.log_abs) - log_mixture(evidence.log_abs)) < 1e-5
    assert [log_odds_pass(brief, level) for level in LEVELS] == [
        log_odds_pass(evidence, level) for level in LEVELS
    ]
    assert brief.log_bake == ()
