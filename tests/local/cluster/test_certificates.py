from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from sluice.local.cluster import certificates
from sluice.local.cluster.certificates import AUTHORITIES, IDENTITIES, SERVICE_ACCOUNT_KEY

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ALL = {*AUTHORITIES, SERVICE_ACCOUNT_KEY, *(identity.file for identity in IDENTITIES)}


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    folder = tmp_path / "pki"
    certificates.ensure(folder, now=NOW)
    return folder


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificates.certificate_path(folder, name).read_bytes())


def test_everything_is_made_the_first_time_and_nothing_the_second(tmp_path: Path) -> None:
    assert set(certificates.ensure(tmp_path / "pki", now=NOW)) == ALL
    assert certificates.ensure(tmp_path / "pki", now=NOW) == ()


def test_keys_are_readable_by_their_owner_alone(pki: Path) -> None:
    assert pki.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in pki.glob("*.key")} == {0o600}


def test_leaves_are_renewed_a_month_before_they_end_and_authorities_stay(pki: Path) -> None:
    before = certificate(pki, "ca")
    assert certificates.ensure(pki, now=NOW + dt.timedelta(days=330)) == ()
    renewed = set(certificates.ensure(pki, now=NOW + dt.timedelta(days=340)))
    assert renewed == {identity.file for identity in IDENTITIES}
    assert certificate(pki, "ca") == before


def test_an_authority_near_its_end_renews_all_it_issued_but_not_the_tokens_key(pki: Path) -> None:
    tokens_key = certificates.key_path(pki, SERVICE_ACCOUNT_KEY).read_bytes()
    assert set(certificates.ensure(pki, now=NOW + dt.timedelta(days=3400))) == ALL - {SERVICE_ACCOUNT_KEY}
    assert certificates.key_path(pki, SERVICE_ACCOUNT_KEY).read_bytes() == tokens_key


def test_a_lost_authority_renews_what_it_issued_and_nothing_else(pki: Path) -> None:
    certificates.key_path(pki, "etcd-ca").unlink()
    assert set(certificates.ensure(pki, now=NOW)) == {"etcd-ca", "etcd", "apiserver-etcd-client"}


@pytest.mark.parametrize("damage", ["", "-----BEGIN CERTIFICATE-----\nhalf"])
def test_a_half_written_certificate_is_made_again(pki: Path, damage: str) -> None:
    certificates.certificate_path(pki, "scheduler").write_text(damage)
    assert certificates.ensure(pki, now=NOW) == ("scheduler",)


def test_a_key_that_does_not_fit_its_certificate_is_replaced(pki: Path) -> None:
    certificates.key_path(pki, "proxy").write_bytes(certificates.key_path(pki, "dns").read_bytes())
    assert certificates.ensure(pki, now=NOW) == ("proxy",)


def test_etcd_does_not_trust_the_clusters_own_authority(pki: Path) -> None:
    etcd_authority = certificate(pki, "etcd-ca")
    certificate(pki, "apiserver-etcd-client").verify_directly_issued_by(etcd_authority)
    with pytest.raises(ValueError, match="does not match"):
        certificate(pki, "admin").verify_directly_issued_by(etcd_authority)


def test_the_api_server_is_known_by_the_addresses_that_pods_and_we_use(pki: Path) -> None:
    names = certificate(pki, "apiserver").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1",
        "10.244.0.1",
        "10.96.0.1",
    }
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_every_pair_is_one_that_the_tls_library_takes(pki: Path) -> None:
    for identity in IDENTITIES:
        context = ssl.create_default_context(cafile=str(certificates.certificate_path(pki, identity.authority)))
        context.load_cert_chain(
            certificates.certificate_path(pki, identity.file), certificates.key_path(pki, identity.file)
        )
