"""The self-signed certificate that the server makes for itself."""

import asyncio
import signal
import ssl
import sys
from pathlib import Path

from cryptography import x509
from websockets.asyncio.client import connect

from tests.conftest import Serve
from tests.shared.certificates import strict_client
from tests.shared.commands import refusal
from tests.shared.server import PATIENCE


def test_a_self_signed_certificate_is_made_and_nothing_of_it_stays(serve: Serve, tmp_path: Path) -> None:
    server = serve("--tls-self-signed", environment={"TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    (tmp_path / "shown.pem").write_text(pem)
    context = strict_client(tmp_path / "shown.pem")

    async def hello() -> str | bytes:
        url = server.ws_url.replace("127.0.0.1", "localhost")
        async with asyncio.timeout(PATIENCE), connect(url, ssl=context) as client:
            await client.send("hello")
            return await client.recv()

    assert asyncio.run(hello()) == "hello"
    # A client may require extensions that its OpenSSL does not require.
    found = x509.load_pem_x509_certificate(pem.encode()).extensions
    subject = found.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert found.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == subject
    assert found.get_extension_for_class(x509.KeyUsage).value.digital_signature
    server.process.send_signal(signal.SIGHUP)
    assert ssl.get_server_certificate(("127.0.0.1", server.port)) == pem


def test_what_self_signed_needs_is_named_where_it_is_missing() -> None:
    start = "import sys; sys.modules['cryptography'] = None; from wsecho.cli import main; sys.exit(main())"
    code, line = refusal("--tls-self-signed", command=[sys.executable, "-c", start])
    assert code == 2
    assert "--tls-self-signed needs the extra 'self-signed'" in line
    assert "'cryptography>=" in line
