from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry

from sluice.gateway.certificate import METRIC, Certificate, ends_at

KEY = ec.generate_private_key(ec.SECP256R1())
SOON = datetime(2026, 12, 24, 18, 30, 5, tzinfo=UTC)
LATER = datetime(2051, 3, 1, tzinfo=UTC)  # from 2050 on, times are written otherwise


def made(end: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llm.example.com")])
    names = x509.SubjectAlternativeName([x509.DNSName(f"llm-{number}.example.com") for number in range(30)])
    unsigned = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(2**130 + 1)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .add_extension(names, critical=False)
    )
    return unsigned.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("end", [SOON, LATER])
def test_the_end_of_a_certificate_is_read(end: datetime) -> None:
    assert ends_at(made(end)) == end


def test_a_chain_ends_with_whatever_of_it_ends_first() -> None:
    assert ends_at(made(LATER) + b"# the authority's\n" + made(SOON)) == SOON


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAQwAgIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"there is no certificate in it|its certificate is broken"):
        ends_at(content)


def test_no_cut_certificate_is_taken_for_one() -> None:
    lines = made(SOON).splitlines(keepends=True)

    for kept in range(1, len(lines) - 2):
        with pytest.raises(ValueError, match="broken"):
            ends_at(b"".join([*lines[:kept], lines[-1]]))


def test_a_chain_of_which_one_is_cut_off_is_broken() -> None:
    cut = b"".join(made(SOON).splitlines(keepends=True)[:-3])

    for chain in (cut + made(LATER), made(LATER) + cut):
        with pytest.raises(ValueError, match="cut off"):
            ends_at(chain)


def test_a_file_of_many_beginnings_and_no_end_is_read_at_once() -> None:
    with pytest.raises(ValueError, match="cut off"):  # each once read on to the file's end: it took minutes
        ends_at(b"-----BEGIN CERTIFICATE-----" * 50_000)


def test_a_new_certificate_is_seen_and_one_that_is_gone_has_no_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, registry = tmp_path / "tls.crt", CollectorRegistry()
    certificate = Certificate(file, "gateway-tls", registry)

    def shown() -> float:
        certificate.refresh()
        value = registry.get_sample_value(METRIC, {"name": "gateway-tls"})
        assert value is not None
        return value

    assert math.isnan(shown())
    file.write_bytes(made(SOON))
    assert shown() == SOON.timestamp()
    file.write_bytes(made(LATER))
    assert shown() == LATER.timestamp()
    file.write_bytes(b"broken")
    assert math.isnan(shown())
    reasons = [vars(record)["fields"]["reason"] for record in caplog.records]
    assert reasons == ["No such file or directory", "there is no certificate in it"]
