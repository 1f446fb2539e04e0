"""What deploying a commit to an environment would change. Writes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from deployer.cluster.applyset import Scope
from deployer.cluster.connection import connect
from deployer.cluster.link import THREADS
from deployer.cluster.plan import Plan, plan
from deployer.cluster.resources import refuse_unsafe
from deployer.model import Environment
from deployer.settings import ClusterSettings
from deployer.source.mirror import Mirror
from deployer.source.overlay import parse, render
from deployer.source.render_cache import RenderCache


def preview(
    environment: Environment, commit: str, *, cluster: ClusterSettings, mirror: Mirror, renders: RenderCache
) -> Plan:
    """Render a commit's overlay and compare it with the cluster.

    Args:
        environment: which one.
        commit: a full hash that the mirror has.
        cluster: the environment's cluster.
        mirror: of the environment's repository.
        renders: what was rendered before.

    Raises:
        Permanent, Temporary: as the stages of a deployment.
    """
    desired = parse(render(environment, commit, mirror=mirror, cache=renders), renders)
    refuse_unsafe(manifest.ref for manifest in desired.objects)
    with (
        connect(cluster, name=environment.cluster, service_account=environment.service_account) as connection,
        ThreadPoolExecutor(THREADS, thread_name_prefix="preview") as threads,
    ):
        return plan(connection, desired.objects, scope=Scope.of(environment), threads=threads, closely=True)
