"""A Kubernetes API in memory, for trying the deployer and for its tests. It runs nothing and keeps nothing.

Where it and a real API server disagree, it is wrong: tests/sandbox/kubernetes runs on both.
"""

from deployer.sandbox.kubernetes.cluster import SandboxCluster

__all__ = ["SandboxCluster"]
