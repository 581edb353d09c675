"""A fitting Kubernetes of the machine is used; else it is built, and DNS and the pause program each for themselves."""

from __future__ import annotations

from pathlib import Path

from sluice.local.toolchain import ensure_kubernetes
from sluice.progress import Progress
from tests.local.toolchain.fake_programs import FakeGo, program

CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")
NODE = {*CONTROL_PLANE, "etcd", "kubectl"}


def install_node(folder: Path, *, kubernetes: str = "1.33.1", kubectl: str = "1.33.1") -> None:
    for name in CONTROL_PLANE:
        program(folder / name, f'[ "$*" = --version ] && echo Kubernetes v{kubernetes}')
    program(folder / "etcd", "echo etcd Version: 3.5.21; echo Git SHA: 1234567; echo Go Version: go1.23.7")
    program(folder / "kubectl", f"echo Client Version: v{kubectl}; echo Kustomize Version: v5.6.0")


def test_with_nothing_installed_everything_is_built(fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    tools = ensure_kubernetes(cache, quiet)

    assert fake_go.built() == ["kube", "coredns", "pause"]
    assert {file.name for file in tools.kube.iterdir()} == NODE | {"kube"}
    assert tools.coredns.is_file()
    assert tools.pause.is_file()
    assert ensure_kubernetes(cache, quiet) == tools
    assert len(fake_go.built()) == 3


def test_an_installed_kubernetes_is_used_and_only_pause_is_built(fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    install_node(fake_go.folder)
    coredns = program(fake_go.folder / "coredns", "echo CoreDNS-1.12.2; echo linux/amd64, go1.26.1, ")

    tools = ensure_kubernetes(cache, quiet)

    assert fake_go.built() == ["pause"]
    assert tools.coredns == coredns
    assert {link.name: link.readlink() for link in tools.kube.iterdir()} == {
        name: fake_go.folder / name for name in NODE
    }


def test_a_newer_kubernetes_is_not_mixed_with_what_the_cluster_is_tested_with(
    fake_go: FakeGo, cache: Path, quiet: Progress
) -> None:
    install_node(fake_go.folder, kubernetes="1.34.0")

    tools = ensure_kubernetes(cache, quiet)

    assert "kube" in fake_go.built()
    assert (tools.kube / "kubelet").resolve().is_relative_to(cache)


def test_a_kubectl_one_minor_version_apart_is_good_enough(fake_go: FakeGo, cache: Path, quiet: Progress) -> None:
    for minor, is_built in ((32, False), (34, False), (31, True), (35, True)):
        install_node(fake_go.folder, kubectl=f"1.{minor}.0")
        folder = cache / str(minor)

        tools = ensure_kubernetes(folder, quiet)

        assert (tools.kube.name != "kube-from-path") is is_built, minor


def test_programs_that_moved_on_the_path_are_found_where_they_are_now(
    fake_go: FakeGo, cache: Path, quiet: Progress, tmp_path: Path
) -> None:
    install_node(fake_go.folder)
    folder = ensure_kubernetes(cache, quiet).kube
    stale = tmp_path / "gone" / "kubelet"
    (folder / "kubelet").unlink()
    (folder / "kubelet").symlink_to(stale)

    assert ensure_kubernetes(cache, quiet).kube == folder
    assert (folder / "kubelet").readlink() == fake_go.folder / "kubelet"
