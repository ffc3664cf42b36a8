"""Checks that keep a rollout where it is, after safety and before anything that advances."""

from halimede.api.conditions import Reason
from halimede.rollout.moves import wait
from halimede.rollout.scene import Move, Scene


def spec_invalid(scene: Scene) -> Move | None:
    """The spec cannot be understood now: nothing goes on until it can."""
    if scene.wanted.invalid is None:
        return None
    return wait(scene, Reason.INVALID_SPEC, scene.wanted.invalid)


def scaled_to_zero(scene: Scene) -> Move | None:
    """Nothing is to serve, so there is nothing to learn."""
    if scene.facts.replicas > 0:
        return None
    return wait(scene, Reason.SCALED_TO_ZERO, "spec.replicas is 0: the rollout waits for pods.")


def paused(scene: Scene) -> Move | None:
    """A human wants to hold it here."""
    if not scene.settings.paused:
        return None
    rollout = scene.rollout
    return wait(
        scene,
        Reason.PAUSED,
        f"spec.rollout.paused holds revision {rollout.revision} at {rollout.weight} %"
        f" ({rollout.state}).",
    )


HOLDING = (spec_invalid, scaled_to_zero, paused)
"""Their order tells which reason is named."""
