"""Where the local cluster keeps its files, and the names and addresses it takes on this machine.

Everything the cluster writes is below one state folder, so that stopping it can look in one place, and every address
here is fixed, so that another copy or a foreign network is recognised before anything starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "local"
NODE_ADDRESS = "10.244.0.1"
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"
DNS_SERVICE_ADDRESS = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
API_PORT = 6443

INTERFACE = "sluice0"
"""A bridge without ports: it carries the node's address, which pods reach through their own veth (see the CNI file)."""
CNI_NETWORK = "sluice"
CNI_PLUGINS = Path("/usr/lib/cni")
SANDBOX_IMAGE = "sluice.local/pause:1"

STATE_MARK = "SLUICE_CLUSTER"
"""Environment variable of every process of a cluster, with the state folder as its value: it tells which are ours."""
COMPONENT_MARK = "SLUICE_COMPONENT"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one state folder."""

    state: Path

    @property
    def etcd(self) -> Path:
        """The data of etcd: the cluster's objects."""
        return self.state / "etcd"

    @property
    def pki(self) -> Path:
        """Keys and certificates, and the components' kubeconfig files beside them; readable by root alone."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One log file a component."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """What runs: one record a component, and the sysctls as they were before."""
        return self.state / "run"

    @property
    def config(self) -> Path:
        """The components' configuration files."""
        return self.state / "config"

    @property
    def kubelet(self) -> Path:
        """The kubelet's root folder: pods' volumes and logs."""
        return self.state / "kubelet"

    @property
    def containerd(self) -> Path:
        """All that is containerd's: images and snapshots, running containers, its socket."""
        return self.state / "containerd"

    @property
    def containerd_run(self) -> Path:
        """What containerd keeps of running containers; worth nothing once they are stopped."""
        return self.containerd / "run"

    @property
    def containerd_socket(self) -> Path:
        """The address of containerd; short, since a socket's path may have 107 bytes."""
        return self.containerd / "containerd.sock"

    @property
    def cni(self) -> Path:
        """The pod network's configuration and the addresses it gave away."""
        return self.state / "cni"

    @property
    def cni_addresses(self) -> Path:
        """Which pod has which address."""
        return self.cni / "addresses"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def lock(self) -> Path:
        """Held while an up or a down is at work."""
        return self.state / "lock"

    @property
    def written(self) -> tuple[Path, ...]:
        """All that the cluster writes here but the lock: what `purge` removes. Others keep things here too."""
        return (
            self.etcd,
            self.pki,
            self.logs,
            self.run,
            self.config,
            self.kubelet,
            self.containerd,
            self.cni,
            self.kubeconfig,
        )

    def create(self) -> None:
        """Make the folders; the private ones for root alone."""
        self.state.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.logs, self.run, self.config, self.kubelet, self.containerd, self.cni):
            folder.mkdir(mode=0o755, exist_ok=True)
        for folder in (self.etcd, self.pki):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)


def write_if_changed(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path` in one move with `mode`; a file that already says so keeps its time."""
    if path.exists() and path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o777 == mode:
        return
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=mode)
    scratch.chmod(mode)
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
