"""Certificates: how they are loaded and reloaded, client certificates, and files that are refused."""

import json
import signal
import ssl
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509

from tests.conftest import Serve
from tests.shared.certificates import DAY, Authority, Certificate
from tests.shared.commands import refusal
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from tests.shared.tls_clients import echo


def test_only_clients_with_a_certificate_of_the_authority_come_in(
    serve: Serve, certificate: Certificate, authority: Authority, tmp_path: Path
) -> None:
    server = serve(*certificate.options, "--tls-client-ca", str(authority.certificate))
    known, stranger = authority.issue("a client"), Authority(tmp_path, "another authority").issue("a stranger")
    server.client_tls = authority.client()
    server.client_tls.load_cert_chain(known.certificate, known.key)
    assert json.loads(server.get("/info")[2])["tls"]["client_subject"] == "commonName=a client"
    with RawConnection(server.port, tls=server.client_tls).open() as client:
        echo(client)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for certificate_shown, alert in (
                (None, "CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE"),
                (stranger, "UNKNOWN_CA"),
            ):
                refused = authority.client()
                refused.maximum_version = version
                if certificate_shown:
                    refused.load_cert_chain(certificate_shown.certificate, certificate_shown.key)
                # With TLS 1.3 the client learns of the refusal only when it reads.
                with pytest.raises(ssl.SSLError, match=alert), RawConnection(server.port, tls=refused) as other:
                    other.receive(1)
        echo(client)


def test_a_new_certificate_is_for_new_connections(
    serve: Serve, authority: Authority, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    first, second = authority.issue("first"), authority.issue("second")
    served = Certificate(tmp_path / "served.crt", tmp_path / "served.key")

    def put(certificate: Certificate) -> None:
        served.certificate.write_bytes(certificate.certificate.read_bytes())
        served.key.write_bytes(certificate.key.read_bytes())

    put(first)
    server = serve(*served.options)
    assert shown_name(server) == "first"
    with RawConnection(server.port, tls=trusting).open() as client:
        put(second)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reloaded")
        assert shown_name(server) == "second"
        echo(client)


def shown_name(server: RunningServer) -> str:
    """Return the common name of the certificate that the server presents."""
    with RawConnection(server.port, tls=ssl._create_unverified_context()) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        shown = client.socket.getpeercert(binary_form=True)
        assert shown
        return str(x509.load_der_x509_certificate(shown).subject.rfc4514_string().removeprefix("CN="))


@pytest.mark.parametrize("damage", ["gone", "broken", "another key"])
def test_a_broken_file_leaves_the_certificate_as_it_was(
    authority: Authority, tmp_path: Path, trusting: ssl.SSLContext, damage: str
) -> None:
    files = authority.issue(f"before {damage}")
    with closing(RunningServer(*files.options)) as server:
        if damage == "gone":
            files.key.unlink()
        elif damage == "broken":
            files.certificate.write_text("no certificate")
        else:
            files.key.write_bytes(authority.issue("another").key.read_bytes())
        server.process.send_signal(signal.SIGHUP)
        line = server.wait_for_log("not reloaded")
        assert line["severity"] == "ERROR"
        assert "--tls-" in line["error"]
        with RawConnection(server.port, tls=trusting).open() as client:
            echo(client)
        assert server.stop() == 0
        assert server.complaints() == [line]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tls-key", "{key}"], "--tls-key has no effect without --tls-cert"),
        (["--tls-client-ca", "{authority}"], "--tls-client-ca has no effect without"),
        (["--tls-self-signed", "--tls-cert", "{cert}"], "--tls-self-signed makes its own certificate"),
        (
            ["--tls-cert", "{cert}"],
            "--tls-cert {cert}: the file contains no private key in PEM format, and no --tls-key",
        ),
        (["--tls-cert", "{folder}/none", "--tls-key", "{key}"], "--tls-cert {folder}/none: No such file or directory"),
        (["--tls-cert", "{cert}", "--tls-key", "{folder}/none"], "--tls-key {folder}/none: No such file or directory"),
        (["--tls-cert", "{folder}", "--tls-key", "{key}"], "--tls-cert {folder}: Is a directory"),
        (["--tls-cert", "{rubbish}", "--tls-key", "{key}"], "--tls-cert {rubbish}: the file contains no certificate"),
        (["--tls-cert", "{key}", "--tls-key", "{cert}"], "--tls-cert {key}: the file contains no certificate"),
        (["--tls-cert", "{cert}", "--tls-key", "{rubbish}"], "--tls-key {rubbish}: the file contains no private key"),
        (["--tls-cert", "{cert}", "--tls-key", "{other}"], "--tls-key {other}: the private key does not belong to"),
        (["--tls-cert", "{cert}", "--tls-key", "{encrypted}"], "--tls-key {encrypted}: the private key is encrypted"),
        (
            ["--tls-cert", "{cert}", "--tls-key", "{key}", "--tls-client-ca", "{key}"],
            "--tls-client-ca {key}: the file contains no",
        ),
    ],
)
def test_certificates_that_cannot_be_used_are_one_line(
    authority: Authority, certificate: Certificate, tmp_path: Path, options: list[str], words: str
) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no PEM at all")
    names = {
        "cert": certificate.certificate,
        "key": certificate.key,
        "other": authority.issue("other").key,
        "encrypted": authority.issue("encrypted", password=b"secret").key,
        "authority": authority.certificate,
        "folder": tmp_path,
        "rubbish": rubbish,
    }
    code, line = refusal(*(option.format_map(names) for option in options))
    assert code == 2
    assert words.format_map(names) in line


def test_a_key_that_is_too_weak_is_one_line(tmp_path: Path) -> None:
    weak = Certificate(tmp_path / "weak.crt", tmp_path / "weak.key")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"]
    subprocess.run([*make, "-keyout", weak.key, "-out", weak.certificate], check=True, capture_output=True)
    code, line = refusal(*weak.options)
    assert code == 2
    assert "ee key too small" in line


def test_one_file_may_hold_both(
    serve: Serve, certificate: Certificate, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.certificate.read_bytes() + certificate.key.read_bytes())
    with RawConnection(serve("--tls-cert", str(both)).port, tls=trusting).open() as client:
        echo(client)


def test_an_expired_certificate_is_served_with_a_warning(serve: Serve, authority: Authority) -> None:
    expired = authority.issue("expired", lifetime=-DAY)
    server = serve(*expired.options)
    warning = next(line for line in server.logs if line["severity"] == "WARNING")
    assert warning["reason"] == "certificate has expired"
    assert server.get("/health")[0] == 200
