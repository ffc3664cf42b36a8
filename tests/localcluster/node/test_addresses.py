import pytest

from localcluster.node.network import AddressPool, NetworkError


def test_an_address_given_back_is_not_used_at_once() -> None:
    """Addresses are used in turn, so that a stale endpoint does not reach a new pod."""
    pool = AddressPool("10.244.0.0/16")
    first = pool.take()
    pool.give_back(first)
    assert (first, pool.take()) == ("10.244.1.1", "10.244.1.2")


def test_a_network_gives_each_address_once_until_none_is_left() -> None:
    """An empty pool raises, and works again when an address is returned."""
    pool = AddressPool("10.0.0.0/29")
    taken = [pool.take() for _ in range(5)]
    assert taken == [f"10.0.0.{number}" for number in range(2, 7)]
    with pytest.raises(NetworkError, match=r"no pod address is left in 10\.0\.0\.0/29"):
        pool.take()
    pool.give_back("10.0.0.4")
    assert pool.take() == "10.0.0.4"
