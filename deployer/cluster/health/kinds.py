"""The rules of kinds that run nothing, and of those that have no rule of their own. Pure."""

from __future__ import annotations

from deployer.cluster.health.judgement import Judgement, failed, progressing, ready
from deployer.cluster.health.reading import Reading


def any_other(obj: Reading) -> Judgement:
    """By its `Ready` condition. A kind that has none is ready: nothing tells that it ever sets one."""
    if about := _about_older(obj, "Ready"):
        return progressing(about)
    condition = obj.condition("Ready")
    if condition is None or condition.holds:
        return ready("ready")
    return progressing(condition.words)


def service(obj: Reading) -> Judgement:
    """A load balancer waits for its cluster address, and not for its outer one, as in kstatus.

    A cluster may have nothing that gives outer addresses.
    """
    if obj.text("spec", "type") == "LoadBalancer" and not obj.text("spec", "clusterIP"):
        return progressing("no cluster address yet")
    return ready("ready")


def claim(obj: Reading) -> Judgement:
    """Bound or not. Who knows that nothing is to be bound before a pod asks for it is `rollout`."""
    phase = obj.text("status", "phase")
    if phase == "Bound":
        return ready("bound")
    return progressing(f"not bound to a volume yet ({phase or 'no phase'})")


def disruption_budget(_obj: Reading) -> Judgement:
    """Whatever it allows at present: it says so of pods, not of itself."""
    return ready("observed")


def definition(obj: Reading) -> Judgement:
    """Established, unless its names are taken."""
    names, established = obj.condition("NamesAccepted"), obj.condition("Established")
    if names is not None and names.status == "False":
        return failed(names.words)
    if established is None:
        return progressing("not established yet")
    if established.holds:
        return ready("established")
    if established.status == "False" and established.reason != "Installing":
        return failed(established.words)
    return progressing(f"not established yet ({established.words})")


def api_service(obj: Reading) -> Judgement:
    """Available. kstatus has no rule, but the aggregator always says it, and until then what it serves is not there."""
    available = obj.condition("Available")
    if available is None:
        return progressing("not available yet")
    return ready("available") if available.holds else progressing(available.words)


def _about_older(obj: Reading, type_: str) -> str:
    """Whether a condition is about an older generation only, in words.

    kstatus looks at the generation of the whole status alone; newer kinds give one with each condition.
    """
    told = any(each.text("type") == type_ for each in obj.parts("status", "conditions"))
    if told and obj.condition(type_) is None:
        return f"{type_} is not yet about generation {obj.number('metadata', 'generation')}"
    return ""
