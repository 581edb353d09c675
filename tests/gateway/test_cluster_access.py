from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sluice.gateway.cluster_access import ClusterAccess

pytestmark = pytest.mark.anyio


def test_outside_of_a_cluster_there_is_none() -> None:
    assert ClusterAccess.from_environment({}) is None


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_the_address_is_that_of_the_pods_environment(host: str, url: str) -> None:
    access = ClusterAccess.from_environment({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"})
    assert access == ClusterAccess(url)


def _authority(folder: Path) -> None:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    unencrypted = serialization.NoEncryption()
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(*formats, unencrypted))
    for file in ("token", "namespace"):
        (folder / file).write_text("made\n")


async def test_an_api_server_of_another_authority_is_not_talked_to(tmp_path: Path) -> None:
    _authority(tmp_path / "ours")
    _authority(tmp_path / "another")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(tmp_path / "ours" / "ca.crt", tmp_path / "ours" / "key.pem")

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0, ssl=served) as server,
        aiohttp.ClientSession() as session,
    ):
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ours = ClusterAccess(url, tmp_path / "ours").credentials()
        assert ours.tls is not None
        async with session.get(url, ssl=ours.tls) as response:
            assert response.status == 204
        another = ClusterAccess(url, tmp_path / "another").credentials()
        assert another.tls is not None
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match="certificate verify failed"):
            await session.get(url, ssl=another.tls)
