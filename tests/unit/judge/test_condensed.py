from halimede.api.rollout import Analysis
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.counts import Counted
from halimede.judge.limits import levels, limits
from halimede.judge.processes import mixture
from halimede.judge.reading import Counts
from halimede.judge.weigh import certified, condensed, fresh, rungs, weigh

ANALYSIS = Analysis()
BOUNDS = limits(ANALYSIS)
LEVELS = levels(ANALYSIS, 20, 0.0)
SEEN = Counted(Counts(500, 4), Counts(700, 1), 20.0, 20.0, 15.0)


def weighed() -> SourceEvidence:
    """Weigh a poll in a rollout of as many steps as there may be."""
    return weigh(fresh("Router", BOUNDS, LEVELS, 0.0), SEEN, BOUNDS, LEVELS)


def test_steps_that_demand_the_same_share_a_certificate() -> None:
    """Of twenty steps, sixteen demand no more than 10 %."""
    assert rungs(LEVELS) == (0.1, 0.08, 0.04, 0.02, 0.01)
    held = weighed()
    assert len(held.log_pass) == 5
    assert set(certified(held, LEVELS)) == set(LEVELS)


def test_evidence_with_a_certificate_for_each_step_goes_on() -> None:
    """An older operator has begun the rollout."""
    held = fresh("Router", BOUNDS, LEVELS, 0.0)
    each = dict(zip(rungs(LEVELS), held.log_pass, strict=True))
    old = held.model_copy(update={"log_pass": tuple(each[level] for level in LEVELS)})
    after = weigh(old, SEEN, BOUNDS, LEVELS)
    assert len(after.log_pass) == 20
    assert certified(after, LEVELS) == certified(weighed(), LEVELS)


def test_condensed_evidence_tells_the_same_odds() -> None:
    """In a third of the room, for what has ended."""
    held = weighed()
    (brief,) = condensed(Evidence(levels=LEVELS, sources=(held,))).sources
    assert abs(mixture(brief.log_rel) - mixture(held.log_rel)) < 1e-5
    assert abs(mixture(brief.log_abs) - mixture(held.log_abs)) < 1e-5
    told, full = certified(brief, LEVELS), certified(held, LEVELS)
    assert all(abs(told[level] - full[level]) < 1e-5 for level in LEVELS)
    assert brief.log_bake == ()
