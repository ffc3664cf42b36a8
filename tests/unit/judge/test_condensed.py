from halimede.api.analysis import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.certify import certified
from halimede.judge.counts import Counted
from halimede.judge.limits import levels, limits
from halimede.judge.processes import mixture
from halimede.judge.reading import Counts
from halimede.judge.weigh import condensed, fresh, weigh

ANALYSIS = Analysis()
BOUNDS = limits(ANALYSIS)
LEVELS = levels(ANALYSIS, 20, 0.0, 0.05)
SEEN = Counted(Counts(500, 4), Counts(700, 1), 20.0, 20.0, 15.0)


def weighed() -> SourceEvidence:
    """Weigh a poll in a rollout of as many steps as there may be."""
    return weigh(fresh("Router", BOUNDS, LEVELS, 0.0), SEEN, BOUNDS, LEVELS, tolerated=3.0)


def test_condensed_evidence_tells_the_same_odds() -> None:
    """In a third of the room, for what has ended."""
    held = weighed()
    (brief,) = condensed(Evidence(levels=LEVELS, sources=(held,))).sources
    assert abs(mixture(brief.log_rel) - mixture(held.log_rel)) < 1e-5
    assert abs(mixture(brief.log_abs) - mixture(held.log_abs)) < 1e-5
    assert [certified(brief, level) for level in LEVELS] == [
        certified(held, level) for level in LEVELS
    ]
    assert brief.log_bake == ()
