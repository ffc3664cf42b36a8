"""Add logarithms of bets, and round them for the status."""

Logs = tuple[float, ...]
Changes = dict[str, object]
"""Fields of a source's evidence with their new values."""
DIGITS = 6
"""Number of stored decimals."""


def add_capped(logs: Logs, won: Logs, phi: float, cap: float, low: float) -> Logs:
    """Add the gains of a poll to the bets against the canary.

    Args:
        logs: The bets so far.
        won: The gain of each bet; negative if it lost.
        phi: The dispersion, by which gains are divided.
        cap: The most that a poll may add above even odds.
        low: The lowest value of a bet.
    """
    return tuple(
        round(max(low, min(log + part / phi, max(log, 0.0) + cap)), DIGITS)
        for log, part in zip(logs, won, strict=True)
    )


def add(logs: Logs, won: Logs, phi: float) -> Logs:
    """Add the gains of a poll to the bets; empty bets start at zero."""
    return tuple(
        round(log + part / phi, DIGITS)
        for log, part in zip(logs or zeros(len(won)), won, strict=True)
    )


def zeros(size: int) -> Logs:
    """Return the logarithms of *size* new bets."""
    return (0.0,) * size


def resized(logs: Logs, size: int) -> Logs:
    """Reset the bets if the ceiling was changed during the rollout, which changes their rates."""
    return logs if len(logs) == size else zeros(size)
