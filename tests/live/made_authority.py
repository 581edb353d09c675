"""An authority that a test makes, and certificates by it that end within hours: nobody else trusts it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a made authority of a test")])


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """A certificate with its key, in PEM; `ends` is in seconds since 1970."""

    chain: bytes
    key: bytes
    number: int
    ends: float


@dataclass(frozen=True, slots=True)
class MadeAuthority:
    """Its own certificate, in PEM, and the key that it signs by."""

    certificate: bytes
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        unsigned = (
            _unsigned(_NAME, key, datetime.now(UTC) + timedelta(hours=4))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(unsigned.sign(key, SHA256()).public_bytes(Encoding.PEM), key)

    def issue(self, host: str, *, hours: int) -> MadeCertificate:
        """Return a certificate of a host's."""
        key = ec.generate_private_key(ec.SECP256R1())
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = (
            _unsigned(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key, ends)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self.key, SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return MadeCertificate(made.public_bytes(Encoding.PEM), private, made.serial_number, ends.timestamp())

    @staticmethod
    def number_of(der: bytes) -> int:
        """Return a certificate's serial number."""
        return x509.load_der_x509_certificate(der).serial_number


def _unsigned(subject: x509.Name, key: ec.EllipticCurvePrivateKey, ends: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(ends)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
