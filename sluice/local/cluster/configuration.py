"""The components' configuration files, as values: text made of a layout and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sluice.local.cluster import certificates
from sluice.local.cluster.kubeconfigs import path_of
from sluice.local.cluster.layout import (
    CLUSTER_DOMAIN,
    CNI_NETWORK,
    CNI_PLUGINS,
    DNS_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    POD_NETWORK,
    SANDBOX_IMAGE,
    Layout,
    write_if_changed,
)

DNS_HEALTH_PORT = 10053
PROXY_HEALTH_PORT = 10256
PROXY_METRICS_PORT = 10249
KUBELET_PORT = 10250
KUBELET_HEALTH_PORT = 10248


def write_all(layout: Layout) -> None:
    """Write every file whose content is not what it should be."""
    for path, text in texts(layout).items():
        path.parent.mkdir(exist_ok=True)
        write_if_changed(path, text)


def texts(layout: Layout) -> dict[Path, str]:
    """Return the content of every configuration file by its path."""
    return {
        containerd_path(layout): _containerd(layout),
        kubelet_path(layout): _json(_kubelet(layout)),
        proxy_path(layout): _json(_proxy(layout)),
        corefile_path(layout): _corefile(layout),
        cni_path(layout): _json(_cni(layout)),
    }


def containerd_path(layout: Layout) -> Path:
    """The configuration of containerd."""
    return layout.config / "containerd.toml"


def kubelet_path(layout: Layout) -> Path:
    """The kubelet's configuration."""
    return layout.config / "kubelet.json"


def proxy_path(layout: Layout) -> Path:
    """kube-proxy's configuration."""
    return layout.config / "kube-proxy.json"


def corefile_path(layout: Layout) -> Path:
    """The DNS server's configuration."""
    return layout.config / "Corefile"


def cni_path(layout: Layout) -> Path:
    """The pod network, alone in the folder that containerd reads."""
    return layout.cni / "conf" / "10-sluice.conflist"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _containerd(layout: Layout) -> str:
    # restrict_oom_score_adj: without it, where lowering the score is not allowed, every sandbox fails with
    #   "can't get final child's PID from pipe".
    # netns_mounts_under_state_dir and runc's Root keep network namespaces and runc's state below our folder.
    # The plugins that are off want file systems or folders (/opt) that a local cluster does not use.
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = "{layout.containerd}/root"
state = "{layout.containerd_run}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = "{layout.containerd_socket}"

{cri}]
  sandbox_image = "{SANDBOX_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  {cri}.cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{cni_path(layout).parent}"
  {cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    {cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{layout.containerd_run}/runc"
"""


def _kubelet(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": KUBELET_HEALTH_PORT,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(certificates.certificate_path(layout.pki, "ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(certificates.certificate_path(layout.pki, "kubelet")),
        "tlsPrivateKeyFile": str(certificates.key_path(layout.pki, "kubelet")),
        "clusterDomain": CLUSTER_DOMAIN,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        # The machine's search domains and its 127.0.0.53 mean nothing in a pod; the DNS server forwards instead.
        "resolvConf": "/dev/null",
        # How soon a pod sees a changed ConfigMap: the kubelet looks once a period, and a weight must arrive within 5 s.
        "syncFrequency": "1s",
        "podLogsDir": str(layout.kubelet / "pod-logs"),
        "volumePluginDir": str(layout.kubelet / "volume-plugins"),
        "enforceNodeAllocatable": ["pods"],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images are imported, not pulled: one that the kubelet throws away does not come back.
        "imageGCHighThresholdPercent": 100,
        "containerLogMaxSize": "10Mi",
        "containerLogMaxFiles": 2,
        "shutdownGracePeriod": "0s",
        "logging": {"verbosity": 0},
    }


def _proxy(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(path_of(layout, "proxy"))},
        "hostnameOverride": NODE_NAME,
        "mode": "iptables",
        "clusterCIDR": POD_NETWORK,
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": f"127.0.0.1:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"127.0.0.1:{PROXY_METRICS_PORT}",
        # NodePorts for this machine alone.
        "nodePortAddresses": ["127.0.0.0/8"],
        "iptables": {"localhostNodePorts": True, "minSyncPeriod": "100ms"},
        # Zero leaves the machine's own connection tracking limits as they are.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def _corefile(layout: Layout) -> str:
    return f""".:53 {{
    bind {NODE_ADDRESS}
    health 127.0.0.1:{DNS_HEALTH_PORT}
    errors
    cache 30
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {path_of(layout, "dns")}
        fallthrough in-addr.arpa ip6.arpa
    }}
    forward . /etc/resolv.conf
}}
"""


def _cni(layout: Layout) -> dict[str, Any]:
    # Point-to-point instead of a bridge: every packet between two pods passes this machine's own routing, so that the
    # answer to a Service's address finds its way back with no br_netfilter module, which Debian does not load.
    return {
        "cniVersion": "0.4.0",
        "name": CNI_NETWORK,
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.cni_addresses),
                    "ranges": [[{"subnet": POD_NETWORK, "gateway": NODE_ADDRESS}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
