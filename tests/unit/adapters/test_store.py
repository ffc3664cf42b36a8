"""The watch store: versions, owners and deletions."""

from typing import Any

from halimede.adapters.kinds import CONFIG_MAP, MODEL_DEPLOYMENT, POD
from halimede.adapters.store import Key, Listing, Store

KEY = Key("ns", "digits")


def _thing(name: str, uid: str, version: int, owner: str | None = "digits") -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "halimede"}
    labels |= {"halimede.dev/name": owner} if owner else {}
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": labels,
        }
    }


def _names(store: Store) -> list[str]:
    return [pod["metadata"]["name"] for pod in store.owned(POD, KEY)]


def test_the_newer_version_wins_whatever_comes_first() -> None:
    """The response of our own write may arrive before or after the event of an older version."""
    store = Store()
    assert store.put(POD, _thing("a", "1", 9)) == (KEY,)
    assert store.put(POD, _thing("a", "1", 8)) == ()
    assert store.put(POD, _thing("a", "1", 9)) == ()
    assert store.put(POD, _thing("a", "1", 10)) == (KEY,)
    assert store.owned(POD, KEY)[0]["metadata"]["resourceVersion"] == "10"


def test_versions_are_numbers_not_text() -> None:
    """Version 10 is newer than 9."""
    store = Store()
    store.put(POD, _thing("a", "1", 9))
    assert store.put(POD, _thing("a", "1", 10)) == (KEY,)


def test_a_late_event_does_not_bring_back_what_is_gone() -> None:
    """An older version that arrives after the deletion is ignored; a newer one is taken."""
    store = Store()
    store.put(POD, _thing("a", "1", 5))
    assert store.drop(POD, _thing("a", "1", 7)) == (KEY,)
    assert store.put(POD, _thing("a", "1", 6)) == ()
    assert _names(store) == []
    assert store.put(POD, _thing("a", "1", 8)) == (KEY,)


def test_a_namesake_survives_the_deletion_of_its_predecessor() -> None:
    """The deletion of the old uid does not touch the new object of the same name."""
    store = Store()
    store.put(POD, _thing("a", "old", 5))
    store.put(POD, _thing("a", "new", 9))
    store.drop(POD, _thing("a", "old", 8))
    assert [pod["metadata"]["uid"] for pod in store.owned(POD, KEY)] == ["new"]


def test_the_newest_of_two_namesakes_is_the_deployment() -> None:
    """Before the event of a deletion arrives, the recreated ModelDeployment counts."""
    store = Store()
    store.put(MODEL_DEPLOYMENT, _thing("digits", "old", 5))
    store.put(MODEL_DEPLOYMENT, _thing("digits", "new", 9))
    deployment = store.deployment(KEY)
    assert deployment is not None
    assert deployment["metadata"]["uid"] == "new"


def test_an_object_follows_its_label() -> None:
    """A child whose label changes belongs to the new owner only."""
    store = Store()
    store.put(POD, _thing("a", "1", 1))
    assert set(store.put(POD, _thing("a", "1", 2, owner="other"))) == {KEY, Key("ns", "other")}
    assert _names(store) == []
    assert len(store.owned(POD, Key("ns", "other"))) == 1


def test_children_come_sorted_by_name() -> None:
    """The order of children does not depend on the order of events."""
    store = Store()
    for name in ("c", "a", "b"):
        store.put(POD, _thing(name, name, 1))
    assert _names(store) == ["a", "b", "c"]


def test_a_list_reports_missing_objects() -> None:
    """Unknown objects and older versions are missing; equal, newer and deleted ones are not."""
    store = Store()
    store.put(POD, _thing("same", "same", 5))
    store.put(POD, _thing("older", "older", 5))
    store.put(POD, _thing("newer", "newer", 9))
    store.put(POD, _thing("gone", "gone", 5))
    store.drop(POD, _thing("gone", "gone", 7))
    versions = {
        uid: (Key("ns", uid), version)
        for uid, version in {"same": 5, "older": 6, "newer": 8, "gone": 6, "new": 3}.items()
    }
    assert set(store.missing(POD, Listing(versions, 10))) == {Key("ns", "older"), Key("ns", "new")}


def test_a_list_shows_deletions_that_no_watch_has_shown() -> None:
    """Objects older than the list and not in it are dropped; newer ones are kept."""
    store = Store()
    store.put(POD, _thing("stale", "stale", 5))
    store.put(POD, _thing("young", "young", 11))
    assert store.drop_unlisted(POD, Listing({}, 10)) == (KEY,)
    assert _names(store) == ["young"]


def test_what_is_gone_is_remembered_for_one_age_and_forgotten_after_two() -> None:
    """Tombstones of deletions expire."""
    store = Store()
    store.drop(POD, _thing("a", "1", 7))
    store.expire_tombstones()
    assert store.put(POD, _thing("a", "1", 6)) == ()
    store.expire_tombstones()
    assert store.put(POD, _thing("a", "1", 6)) == (KEY,)


def test_an_object_without_an_owner_is_ignored() -> None:
    """An object without the name's label is stored for comparison and has no owner."""
    store = Store()
    assert store.put(POD, _thing("a", "1", 1, owner=None)) == ()
    assert store.missing(POD, Listing({"1": (Key("ns", "a"), 1)}, 1)) == ()


def test_what_we_do_not_select_is_not_kept() -> None:
    """ConfigMaps without our label are not stored; one that loses it counts as deleted."""
    store = Store()
    theirs = _thing("theirs", "2", 1)
    del theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    assert store.put(CONFIG_MAP, theirs) == ()
    assert store.owned(CONFIG_MAP, KEY) == ()
    store.put(CONFIG_MAP, _thing("ours", "1", 1))
    unlabelled = _thing("ours", "1", 2)
    unlabelled["metadata"]["labels"] = {}
    assert store.put(CONFIG_MAP, unlabelled) == (KEY,)
    assert store.owned(CONFIG_MAP, KEY) == ()


def test_all_deployments_are_listed() -> None:
    """`keys` returns every ModelDeployment once."""
    store = Store()
    store.put(MODEL_DEPLOYMENT, _thing("a", "1", 1))
    store.put(MODEL_DEPLOYMENT, _thing("b", "2", 1))
    assert set(store.keys()) == {Key("ns", "a"), Key("ns", "b")}
