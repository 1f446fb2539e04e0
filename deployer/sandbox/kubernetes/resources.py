"""The resources that the API serves: the built-in ones as a table, those of CustomResourceDefinitions as they come.

Only names and traits live here; the documents made of them are in `discovery`, the schemas in `schema`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deployer.sandbox.kubernetes.errors import Names
from deployer.sandbox.kubernetes.schema import ANY, Schema, built_in

_TABLE = """
v1 configmaps ConfigMap yes cm - -
v1 endpoints Endpoints yes ep - -
v1 events Event yes ev - -
v1 limitranges LimitRange yes limits - -
v1 namespaces Namespace no ns - status,finalize
v1 nodes Node no no - status
v1 persistentvolumeclaims PersistentVolumeClaim yes pvc - status
v1 persistentvolumes PersistentVolume no pv - status
v1 pods Pod yes po all status,generation
v1 podtemplates PodTemplate yes - - -
v1 replicationcontrollers ReplicationController yes rc all status,scale,generation
v1 resourcequotas ResourceQuota yes quota - status
v1 secrets Secret yes - - -
v1 serviceaccounts ServiceAccount yes sa - -
v1 services Service yes svc all status
admissionregistration.k8s.io/v1 mutatingadmissionpolicies MutatingAdmissionPolicy no - api-extensions generation
admissionregistration.k8s.io/v1 mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding no - api-extensions generation
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration no - api-extensions generation
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy no - api-extensions status,generation
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding no - api-extensions generation
admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration no - api-extensions generation
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition no crd,crds api-extensions status,generation
apiregistration.k8s.io/v1 apiservices APIService no - api-extensions status
apps/v1 controllerrevisions ControllerRevision yes - - -
apps/v1 daemonsets DaemonSet yes ds all status,generation
apps/v1 deployments Deployment yes deploy all status,scale,generation
apps/v1 replicasets ReplicaSet yes rs all status,scale,generation
apps/v1 statefulsets StatefulSet yes sts all status,scale,generation
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler yes hpa all status
autoscaling/v1 horizontalpodautoscalers HorizontalPodAutoscaler yes hpa all status
batch/v1 cronjobs CronJob yes cj all status,generation
batch/v1 jobs Job yes - all status,generation
certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest no csr - status,approval
coordination.k8s.io/v1 leases Lease yes - - -
discovery.k8s.io/v1 endpointslices EndpointSlice yes - - generation
events.k8s.io/v1 events Event yes ev - -
flowcontrol.apiserver.k8s.io/v1 flowschemas FlowSchema no - - status,generation
flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations PriorityLevelConfiguration no - - status,generation
networking.k8s.io/v1 ingresses Ingress yes ing - status,generation
networking.k8s.io/v1 ingressclasses IngressClass no - - generation
networking.k8s.io/v1 ipaddresses IPAddress no ip - -
networking.k8s.io/v1 networkpolicies NetworkPolicy yes netpol - generation
networking.k8s.io/v1 servicecidrs ServiceCIDR no - - status
node.k8s.io/v1 runtimeclasses RuntimeClass no - - -
policy/v1 poddisruptionbudgets PodDisruptionBudget yes pdb - status,generation
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding no - - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole no - - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding yes - - -
rbac.authorization.k8s.io/v1 roles Role yes - - -
resource.k8s.io/v1 deviceclasses DeviceClass no - - generation
resource.k8s.io/v1 resourceclaims ResourceClaim yes - - status
resource.k8s.io/v1 resourceclaimtemplates ResourceClaimTemplate yes - - -
resource.k8s.io/v1 resourceslices ResourceSlice no - - generation
scheduling.k8s.io/v1 priorityclasses PriorityClass no pc - generation
storage.k8s.io/v1 csidrivers CSIDriver no - - -
storage.k8s.io/v1 csinodes CSINode no - - -
storage.k8s.io/v1 csistoragecapacities CSIStorageCapacity yes - - -
storage.k8s.io/v1 storageclasses StorageClass no sc - -
storage.k8s.io/v1 volumeattachments VolumeAttachment no - - status
storage.k8s.io/v1 volumeattributesclasses VolumeAttributesClass no vac - -
"""  # noqa: E501
"""Version, plural, kind, whether namespaced, short names, categories, subresources (and `generation`)."""

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource in one version of its group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    counts_generations: bool = False
    schema: Schema = field(default=ANY, compare=False)
    custom: bool = False
    singular: str = ""
    list_kind: str = ""
    columns: tuple[tuple[str, str, str], ...] = ()
    """Further columns for people: name, type, JSON path."""
    scale_paths: tuple[str, str, str] = (".spec.replicas", ".status.replicas", ".spec.selector")
    """Where `scale` finds spec replicas, status replicas and the selector."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def names(self) -> Names:
        return Names(self.group, self.plural, self.kind)

    @property
    def store_key(self) -> tuple[str, str]:
        """What its objects are stored under: all versions of a resource are views of the same objects."""
        return (self.group, self.plural)

    @property
    def kind_of_list(self) -> str:
        return self.list_kind or f"{self.kind}List"


@functools.cache
def built_in_resources() -> tuple[Resource, ...]:
    """Every built-in resource, preferred versions first within a group."""
    return tuple(_read(line) for line in _TABLE.strip().splitlines())


def _read(line: str) -> Resource:
    api_version, plural, kind, namespaced, short, categories, traits = line.split()
    group, _, version = api_version.rpartition("/")
    marked = _words(traits)
    return Resource(
        group, version, plural, kind, namespaced == "yes",
        short_names=_words(short), categories=_words(categories),
        subresources=frozenset(marked) - {"generation"}, counts_generations="generation" in marked,
        schema=built_in().kind(group, version, kind) or ANY, singular=kind.lower(),
    )  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


class Registry:
    """What is served at this moment."""

    def __init__(self) -> None:
        self._resources = {(r.group, r.version, r.plural): r for r in built_in_resources()}

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource of that name, or None."""
        return self._resources.get((group, version, plural))

    def versions_of(self, group: str, plural: str) -> tuple[Resource, ...]:
        """The resource in every version that is served."""
        return tuple(r for r in self if (r.group, r.plural) == (group, plural))

    def replace(self, group: str, plural: str, resources: Iterable[Resource]) -> None:
        """Serve a custom resource in these versions and in no others."""
        kept = {
            key: r for key, r in self._resources.items() if not (r.custom and (r.group, r.plural) == (group, plural))
        }
        self._resources = kept | {(r.group, r.version, r.plural): r for r in resources}
