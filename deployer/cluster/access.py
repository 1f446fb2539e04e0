"""From a cluster's settings to the way in: its address, the TLS it must prove itself with, and who we are there.

The `kubernetes` package reads the kubeconfig or the pod's own account; nothing is sent to the cluster here. An exec
plugin runs through the door to processes, because that has a time limit. No message contains what a file says.
"""

# The package's loaders are not annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes.client import Configuration
from kubernetes.client.rest import should_bypass_proxies
from kubernetes.config import ConfigException, load_incluster_config
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import ConfigNode, KubeConfigLoader

from deployer import process, scratch
from deployer.model import JSON, Failure, Permanent, Stage, Temporary
from deployer.settings import ClusterSettings

_PLUGIN_LIMITS = process.Limits(seconds=30, output=process.MIB)
_CANNOT_IMPERSONATE = re.compile(r'User "([^"]{1,253})" cannot impersonate')
_LOADING = threading.Lock()
"""The package remembers the temporary files of credentials by their content, for the whole process."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server, and as whom."""

    server: str
    """URL without a trailing slash; it may have a path."""
    authorization: str | None = field(repr=False)
    """Value of the Authorization header; None when a client certificate says who we are."""
    tls: ssl.SSLContext | None
    """None for a server on plain HTTP."""
    server_name: str | None
    """The name that the certificate is for, when that is not the server's host."""
    proxy: str | None = field(repr=False)
    service_account: str | None = None
    """`namespace/name` of the account that the credentials' user acts as; None when it acts as itself."""

    @property
    def host(self) -> str:
        """Host and port, without what else a URL may have in it."""
        return urlsplit(self.server).netloc.rpartition("@")[2]

    @property
    def headers(self) -> dict[str, str]:
        """What each request says about who we are.

        No groups: the API server knows those of a service account, and would want the right to impersonate each.
        https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
        """
        headers = {"Authorization": self.authorization} if self.authorization else {}
        if self.service_account:
            headers["Impersonate-User"] = f"system:serviceaccount:{self.service_account.replace('/', ':')}"
        return headers

    def missing_grant(self, refusal: JSON) -> str | None:
        """What is missing in the cluster if a 403 refuses to let us act as the service account; None if it does not.

        Args:
            refusal: body of the answer.
        """
        message = refusal.get("message") if isinstance(refusal, dict) else None
        found = _CANNOT_IMPERSONATE.search(message) if isinstance(message, str) else None
        if self.service_account is None or found is None:
            return None
        namespace, _, name = self.service_account.partition("/")
        return (
            f"user {found[1]} may not act as service account {self.service_account}; grant it the verb impersonate on "
            f"serviceaccounts in namespace {namespace} (resourceNames: [{name}]), or correct service_account"
        )


def load(cluster: ClusterSettings, *, service_account: str | None = None) -> Access:
    """Read the credentials as they are now; an exec plugin is run, a token file read again.

    Args:
        cluster: where the credentials are.
        service_account: `namespace/name` of the account to act as with them.

    Raises:
        Permanent: the kubeconfig (or the pod's account) cannot be used; the message says which setting and why.
        Temporary: the exec plugin ran out of time.
    """
    what = "in_cluster" if cluster.in_cluster else f"kubeconfig {cluster.kubeconfig.file if cluster.kubeconfig else ''}"
    with _LOADING, scratch.folder() as folder:
        try:
            return _access(_configuration(cluster, str(folder)), service_account)
        except Failure:
            raise
        except ConfigException as error:
            raise _unusable(what, str(error)) from None
        except yaml.YAMLError:
            raise _unusable(what, "it is not YAML") from None
        except ssl.SSLError:
            raise _unusable(what, "a certificate or key in it cannot be read, or they do not belong together") from None
        except OSError as error:
            raise _unusable(what, error.strerror or type(error).__name__) from None
        except (TypeError, AttributeError, LookupError, ValueError) as error:
            # The causes are cut off: such an error may quote the file.
            raise _unusable(what, f"something in it is not what it should be ({type(error).__name__})") from None


def _unusable(what: str, why: str) -> Permanent:
    return Permanent(f"reading {what}: {why}. Correct it or the cluster's settings.", stage=Stage.APPLY)


def _configuration(cluster: ClusterSettings, folder: str) -> Configuration:
    configuration = Configuration(proxy="")
    if cluster.in_cluster:
        load_incluster_config(configuration, try_refresh_token=False)
    elif cluster.kubeconfig is not None:
        _read_kubeconfig(cluster.kubeconfig.file, cluster.context, configuration, folder)
    else:
        raise ConfigException("neither kubeconfig nor in_cluster is set")
    return configuration


def _read_kubeconfig(path: Path, context: str | None, configuration: Configuration, folder: str) -> None:
    document = yaml.load(path.read_bytes(), yaml.CSafeLoader)  # each job reads it: 0.2 ms instead of 2
    if not isinstance(document, dict):
        raise ConfigException("it is not a kubeconfig")
    _run_plugin(document, context or document.get("current-context"), path.parent)
    KubeConfigLoader(
        document, active_context=context, config_base_path=str(path.parent), temp_file_path=folder
    ).load_and_set(configuration)


def _run_plugin(document: dict[str, Any], context: object, folder: Path) -> None:
    """Put what the user's exec plugin answers in its place in `document`, if the user has one."""
    names = _named(document, "contexts", context).get("context", {})
    user = _named(document, "users", names.get("user")).get("user") or {}
    _refuse_unsupported(user)
    if user.get("token") or user.get("tokenFile") or not user.get("exec"):
        return
    cluster = _named(document, "clusters", names.get("cluster")).get("cluster", {})
    user.update(_credential(user.pop("exec"), cluster, folder))


def _refuse_unsupported(user: dict[str, Any]) -> None:
    if any(user.get(key) for key in ("as", "as-uid", "as-groups", "as-user-extra")):
        # The package would leave it out and act with the rights of the user itself.
        raise ConfigException("its user impersonates another one; name that in an environment's service_account")
    if user.get("auth-provider"):
        # The package would run programs without a limit, and ask an issuer without verifying its certificate.
        raise ConfigException("its user has an auth-provider, which Kubernetes itself has given up; use exec")


def _named(document: dict[str, Any], section: str, name: object) -> dict[str, Any]:
    return next((entry for entry in document.get(section) or () if entry.get("name") == name), {})


def _credential(stanza: dict[str, Any], cluster: dict[str, Any], folder: Path) -> dict[str, str]:
    """Run an exec plugin: the user entries that it stands for.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
    """
    plugin = ExecProvider(ConfigNode("exec", stanza), str(folder), ConfigNode("cluster", cluster))
    spec: dict[str, Any] = {"interactive": False} | ({"cluster": plugin.cluster.value} if plugin.cluster else {})
    info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
    status = _plugin_status(plugin, json.dumps(info), folder)
    if token := status.get("token"):
        return {"token": token}
    if "clientCertificateData" in status and "clientKeyData" in status:
        return {
            "client-certificate-data": _base64(status["clientCertificateData"]),
            "client-key-data": _base64(status["clientKeyData"]),
        }
    raise ConfigException(f"the exec plugin {plugin.args[0]} gave neither a token nor a client certificate")


def _plugin_status(plugin: ExecProvider, info: str, folder: Path) -> dict[str, Any]:
    try:
        done = process.run(
            plugin.args, cwd=folder, environment={**plugin.env, "KUBERNETES_EXEC_INFO": info}, limits=_PLUGIN_LIMITS
        )
    except process.ProgramTimedOut as error:
        raise Temporary(
            f"asking the exec plugin of the kubeconfig: {error.program}: {error.reason}", stage=Stage.APPLY
        ) from error
    except process.ProgramFailed as error:
        # What the plugin said stays out: nobody knows what it prints.
        raise ConfigException(f"the exec plugin {error.program}: {error.reason}") from None
    answer = json.loads(done.stdout)
    return dict(answer["status"])


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _access(configuration: Configuration, service_account: str | None) -> Access:
    server = str(configuration.host)
    authorization = _authorization(configuration.api_key.get("BearerToken"))
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigException("its cluster has no server with an http or https URL")
    if parts.scheme == "http" and authorization and not _is_loopback(parts.hostname):
        raise ConfigException("its server is on plain HTTP, where anyone could read the token; use https")
    return Access(
        server=server,
        authorization=authorization,
        tls=_tls(configuration) if parts.scheme == "https" else None,
        server_name=configuration.tls_server_name,
        proxy=_proxy(configuration, parts.hostname),
        service_account=service_account,
    )


def _authorization(header: str | None) -> str | None:
    if header is None:
        return None
    words = header.split()
    if len(words) != 2 or not (header.isascii() and "".join(words).isprintable()):
        raise ConfigException("its token is empty, or has characters in it that no token has")
    return " ".join(words)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    """Loaded at once, so that private keys are in temporary files no longer than that."""
    context = _verifying(configuration.ssl_ca_cert) if configuration.verify_ssl else _trusting()
    if configuration.cert_file:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    return context


def _verifying(authority: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    # Many clusters' own authorities lack an extension that OpenSSL's strict mode wants and Go does not.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _trusting() -> ssl.SSLContext:
    """The operator wrote insecure-skip-tls-verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _proxy(configuration: Configuration, host: str) -> str | None:
    """The kubeconfig's proxy; else the environment's, which like in Go is never asked for this machine itself."""
    if configuration.proxy:
        return str(configuration.proxy)
    surroundings = Configuration(host=configuration.host)
    if _is_loopback(host) or should_bypass_proxies(configuration.host, surroundings.no_proxy or ""):
        return None
    return surroundings.proxy or None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
