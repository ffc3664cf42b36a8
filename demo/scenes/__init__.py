"""The scenes of the demo, in the order in which they play; each builds on the one before."""

from collections.abc import Callable

from demo.scenes import finale, never_loads, promote, revert, serve, stop
from demo.stage import Stage

Scene = Callable[[Stage], None]

SCENES: tuple[Scene, ...] = (
    serve.play,
    promote.play,
    stop.play_errors,
    stop.play_grpc,
    never_loads.play,
    revert.play,
    finale.play,
)
"""Every scene begins, shows, claims and ends; it raises if a claim does not hold."""
