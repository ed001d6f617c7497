"""Makes a self-signed certificate, for clients on the same machine as the server."""

import ipaddress
from datetime import UTC, datetime, timedelta

from wsecho.options import extras
from wsecho.options.option import OptionError

_NAMES = ("localhost",)
_ADDRESSES = ("127.0.0.1", "::1")
_LIFETIME = timedelta(days=365)
# How long before its creation the certificate becomes valid, for clients whose clocks are slow.
_BACKDATED = timedelta(hours=1)


def make_certificate() -> bytes:
    """Return a private key and its certificate for localhost and the loopback addresses, in PEM.

    Raises OptionError if the `cryptography` package is not installed.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError:
        raise OptionError(extras.missing("--tls-self-signed", "self-signed")) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wsecho, self-signed")])
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in _NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # Strict clients, such as Python's ssl module since 3.13, require the key identifiers and the key usage of
        # RFC 5280 sections 4.2.1.1 to 4.2.1.3.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
