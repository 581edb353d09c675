"""The cluster's certificates: three authorities, and one key pair for each identity, renewed before they run out.

The data behind the API server, and the servers that it passes requests on to, have authorities of their own, so that a
certificate good for one opens no door to the others. A leaf is issued again when it is near its end, was issued by
another authority, or no longer says what it should.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sluice.local.cluster.layout import API_SERVICE_ADDRESS, CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME

_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 365
_RENEW_DAYS = 30
_CLOCK_SLACK = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate to have: who it names, what it is for and under which names and addresses it serves."""

    file: str
    common_name: str
    organization: str | None = None
    authority: str = "ca"
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether it is shown by a server; each may also be shown by a client."""
        return bool(self.names or self.addresses)


AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca")
FRONT_PROXY = "front-proxy-client"
_API_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
)
IDENTITIES: tuple[Identity, ...] = (
    Identity("etcd", "etcd", authority="etcd-ca", names=("localhost",), addresses=("127.0.0.1",)),
    Identity("apiserver-etcd-client", "kube-apiserver", authority="etcd-ca"),
    Identity(
        "apiserver", "kube-apiserver", names=_API_NAMES, addresses=("127.0.0.1", NODE_ADDRESS, API_SERVICE_ADDRESS)
    ),
    Identity("apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
    Identity("front-proxy-client", FRONT_PROXY, authority="front-proxy-ca"),
    Identity("admin", "sluice-admin", "system:masters"),
    Identity("controller-manager", "system:kube-controller-manager", names=("localhost",), addresses=("127.0.0.1",)),
    Identity("scheduler", "system:kube-scheduler", names=("localhost",), addresses=("127.0.0.1",)),
    Identity("kubelet", f"system:node:{NODE_NAME}", "system:nodes", names=(NODE_NAME,), addresses=(NODE_ADDRESS,)),
    Identity("proxy", "system:kube-proxy"),
    Identity("dns", "sluice:dns"),
)
SERVICE_ACCOUNT_KEY = "service-account"


def ensure(folder: Path, *, now: dt.datetime | None = None) -> tuple[str, ...]:
    """Bring every key and certificate in `folder` up to date and return the names of those made or renewed.

    `now` is an aware time, the clock's by default. A renewed authority renews everything it issued. The key that signs
    service accounts' tokens has no end and is made once.
    """
    now = now or dt.datetime.now(dt.UTC)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made: list[str] = []
    for name in AUTHORITIES:
        if not _authority_is_good(folder, name, now):
            _make_authority(folder, name, now)
            made.append(name)
    for identity in IDENTITIES:
        if not _leaf_is_good(folder, identity, now):
            _issue(folder, identity, now)
            made.append(identity.file)
    if not key_path(folder, SERVICE_ACCOUNT_KEY).exists():
        # Tokens are signed with RS256: what every verifier knows.
        _write_key(
            key_path(folder, SERVICE_ACCOUNT_KEY), rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        made.append(SERVICE_ACCOUNT_KEY)
    return tuple(made)


def certificate_path(folder: Path, name: str) -> Path:
    """Where the certificate of `name` lies."""
    return folder / f"{name}.crt"


def key_path(folder: Path, name: str) -> Path:
    """Where the private key of `name` lies."""
    return folder / f"{name}.key"


def _authority_is_good(folder: Path, name: str, now: dt.datetime) -> bool:
    certificate = _read_certificate(certificate_path(folder, name))
    key = _read_key(key_path(folder, name))
    # An authority must outlive what it issues.
    return _pair_holds(certificate, key, now + dt.timedelta(days=_LEAF_DAYS))


def _leaf_is_good(folder: Path, identity: Identity, now: dt.datetime) -> bool:
    certificate = _read_certificate(certificate_path(folder, identity.file))
    key = _read_key(key_path(folder, identity.file))
    authority = _read_certificate(certificate_path(folder, identity.authority))
    if (
        not _pair_holds(certificate, key, now + dt.timedelta(days=_RENEW_DAYS))
        or certificate is None
        or authority is None
    ):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 - whatever is wrong with the signature, the answer is to issue it again
        return False
    return certificate.subject == _subject(identity) and _alternative_names(certificate) == set(
        _general_names(identity)
    )


def _pair_holds(
    certificate: x509.Certificate | None, key: ec.EllipticCurvePrivateKey | None, until: dt.datetime
) -> bool:
    if certificate is None or key is None or certificate.not_valid_after_utc <= until:
        return False
    return certificate.public_key() == key.public_key()


def _make_authority(folder: Path, name: str, now: dt.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sluice local {name}")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(subject, subject, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    _write_key(key_path(folder, name), key)
    _write(certificate_path(folder, name), _pem(builder.sign(key, hashes.SHA256())))


def _issue(folder: Path, identity: Identity, now: dt.datetime) -> None:
    authority = _read_certificate(certificate_path(folder, identity.authority))
    authority_key = _read_key(key_path(folder, identity.authority))
    if authority is None or authority_key is None:
        raise AssertionError(f"authority {identity.authority} was made before what it issues")
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + ([ExtendedKeyUsageOID.SERVER_AUTH] if identity.serves else [])
    builder = (
        _builder(_subject(identity), authority.subject, key, now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if identity.serves:
        builder = builder.add_extension(x509.SubjectAlternativeName(_general_names(identity)), critical=False)
    _write_key(key_path(folder, identity.file), key)
    _write(certificate_path(folder, identity.file), _pem(builder.sign(authority_key, hashes.SHA256())))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _subject(identity: Identity) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, identity.common_name)]
    if identity.organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, identity.organization))
    return x509.Name(attributes)


def _general_names(identity: Identity) -> list[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in identity.addresses]
    return [*(x509.DNSName(name) for name in identity.names), *addresses]


def _alternative_names(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _read_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):  # a half-written file is made again
        return None


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, text)


def _write(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    scratch.write_bytes(content)
    scratch.replace(path)
