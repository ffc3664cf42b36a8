from localcluster.node.backoff import CrashBackOff


def test_first_restart_comes_at_once_then_delays_double_up_to_the_longest() -> None:
    """The delays are those of the kubelet: 0, 10, 20, 40 … 300 seconds."""
    back_off = CrashBackOff()
    delays = []
    for end in range(8):
        back_off = back_off.after_end(float(end))
        delays.append(back_off.delay)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_container_that_ran_for_long_starts_from_new() -> None:
    """After running for twice the longest delay, the backoff is reset."""
    crashing = CrashBackOff().after_end(0).after_end(1).after_end(2)
    assert crashing.after_end(2 + 600).delay == 40
    assert crashing.after_end(2 + 601).delay == 0
