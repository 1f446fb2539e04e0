"""Everything that the deployer remembers, in Redis. Nothing here decides anything."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from deployer.store.arrivals import Arrivals
from deployer.store.audit import Audit
from deployer.store.counters import Counters
from deployer.store.deliveries import Deliveries
from deployer.store.deployments import Deployments
from deployer.store.drift import Drifts
from deployer.store.environments import Environments
from deployer.store.leases import Leases
from deployer.store.places import Places
from deployer.store.posted import Posted
from deployer.store.previews import Previews
from deployer.store.reports import Reports
from deployer.store.rollouts import Rollouts
from deployer.store.shown import Showings
from deployer.store.tips import Tips
from deployer.store.turns import Turns


@dataclass(frozen=True, slots=True)
class Store:
    """The records, by what they are about."""

    arrivals: Arrivals
    audit: Audit
    counters: Counters
    deliveries: Deliveries
    deployments: Deployments
    drift: Drifts
    environments: Environments
    leases: Leases
    places: Places
    posted: Posted
    previews: Previews
    reports: Reports
    rollouts: Rollouts
    showings: Showings
    tips: Tips
    turns: Turns


def open_store(redis: Redis) -> Store:
    """All records behind one connection."""
    return Store(
        Arrivals(redis),
        Audit(redis),
        Counters(redis),
        Deliveries(redis),
        Deployments(redis),
        Drifts(redis),
        Environments(redis),
        Leases(redis),
        Places(redis),
        Posted(redis),
        Previews(redis),
        Reports(redis),
        Rollouts(redis),
        Showings(redis),
        Tips(redis),
        Turns(redis),
    )
