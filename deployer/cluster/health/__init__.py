"""Whether an object in the cluster is as it was asked to be. Pure: it judges what the API server sent and asks nothing.

Healthy means what it means in kstatus, the library of SIG CLI, so that people who know `kubectl`, kpt or Flux are not
surprised: https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus
"""

from deployer.cluster.health.judgement import Health, Judgement
from deployer.cluster.health.judging import judge, watched

__all__ = ["Health", "Judgement", "judge", "watched"]
