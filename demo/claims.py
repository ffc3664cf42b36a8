"""What the demo claims, and whether it was true."""

from dataclasses import dataclass


class StuckError(RuntimeError):
    """Something that the story waits for did not happen in time."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that was shown, whether it held, and what was found."""

    scene: str
    text: str
    holds: bool
    found: str = ""

    def line(self) -> str:
        """Return the claim in one line with its tick."""
        found = f"  ({self.found})" if self.found else ""
        return f"{'✓' if self.holds else '✗'} {self.text}{found}"


class UntrueError(RuntimeError):
    """Some claims did not hold; the message lists them."""

    def __init__(self, claims: list[Claim]) -> None:
        """Name the untrue ones among ``claims``."""
        self.claims = [claim for claim in claims if not claim.holds]
        super().__init__("not true: " + "; ".join(claim.line() for claim in self.claims))
