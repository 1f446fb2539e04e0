from __future__ import annotations

from deployer.model import Place
from deployer.store import Store
from tests.examples import PRODUCTION, STAGING, environment

BLUE = Place("blue", "shop", "deployer.staging.acme-shop", "applyset-b-v1")
GREEN = Place("green", "shop", "deployer.staging.acme-shop", "applyset-g-v1")


def test_an_environment_that_stays_where_it_is_leaves_nothing(store: Store) -> None:
    assert store.places.left(STAGING) == ()
    store.places.settle(STAGING, BLUE)
    store.places.settle(STAGING, BLUE)
    assert store.places.left(STAGING) == ()


def test_one_that_moved_left_something_until_people_know(store: Store) -> None:
    store.places.settle(STAGING, BLUE)
    store.places.settle(STAGING, GREEN)
    store.places.settle(STAGING, GREEN)
    assert store.places.left(STAGING) == (BLUE,)
    store.places.told(STAGING)
    assert store.places.left(STAGING) == ()
    store.places.settle(STAGING, GREEN)
    assert store.places.left(STAGING) == ()


def test_one_that_came_back_left_nothing_where_it_is(store: Store) -> None:
    for place in (BLUE, GREEN, BLUE):
        store.places.settle(STAGING, place)
    assert store.places.left(STAGING) == (GREEN,)


def test_those_that_left_the_settings_are_left_behind_until_they_are_forgotten(store: Store) -> None:
    store.places.settle(STAGING, BLUE)
    store.places.settle(PRODUCTION, GREEN)
    assert store.places.left_behind([environment(PRODUCTION)]) == {STAGING: (BLUE,)}
    store.places.forget(STAGING)
    assert store.places.left_behind([environment(PRODUCTION)]) == {}
