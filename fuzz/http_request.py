"""Fuzz the reading of requests and the opening handshake.

    python fuzz/http_request.py -max_total_time=60 fuzz/corpus/http_request

What must hold for any bytes:

1. Nothing but RequestError comes out of RequestReader, and nothing at all out of the handshake.
2. The bytes are read alike however they are cut: the same request, or the same refusal in the same words.
3. What we accept, h11 accepts and reads alike, and the reverse, but for the deviations that
   tests/http/test_http1_differential.py lists.
4. The head of an answer has the fields that it should have and no others, in printable ASCII: nothing of a peer's gets
   in that could end a line.

All options are libFuzzer's. A folder that holds `seeds.txt` is expanded into a temporary one; with `--grow` the short
inputs that reached something new are added to the file. It has one input a line, with the escapes of a bytes literal;
a line that starts with # is a comment.
"""

import random
import re
import subprocess
import sys
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

ROOT = Path(__file__).resolve().parent.parent
SEEDS = "seeds.txt"
# Longer finds mostly repeat themselves.
MAX_SEED = 256

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho", "h11"]):
    import h11  # noqa: F401

    from tests.http.test_http1_differential import check_segmentation, compare, unescape
    from wsecho.http.http1 import RequestError, RequestReader, encode_response, encode_upgrade
    from wsecho.http.request import Request
    from wsecho.http.response import plain
    from wsecho.websocket import handshake
    from wsecho.websocket.upgrade import Upgrade

_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~]*")
# Date, Content-Length and Connection.
_FIELDS_OF_EVERY_RESPONSE = 3


def check(data: bytes) -> None:
    """Assert every invariant."""
    cuts = random.Random(zlib.crc32(data))
    compare(data)
    check_segmentation(data, [cuts.randrange(len(data) + 1)], [cuts.randrange(len(data) + 1) for _ in range(5)])
    check_answer(data)


def check_answer(data: bytes) -> None:
    """Assert that the answer's head is as long as it should be and printable."""
    try:
        request = RequestReader().feed(data)
    except RequestError as error:
        head, fields = _refuse(error)
    else:
        if not request or not handshake.is_attempted(request):
            return
        head, fields = _answer_handshake(request)
    assert head.endswith(b"\r\n\r\n"), data
    lines = head[:-4].split(b"\r\n")[1:]
    assert len(lines) == fields, data
    assert all(_FIELD.fullmatch(line) for line in lines), data


def _refuse(error: RequestError) -> tuple[bytes, int]:
    """Return the head of a refusal, and how many fields it should have."""
    response = plain(error.status, str(error), close=True)
    head = encode_response(response, head_only=True, keep_alive=False, now=0)
    return head, len(response.headers) + _FIELDS_OF_EVERY_RESPONSE


def _answer_handshake(request: Request) -> tuple[bytes, int]:
    """Return the head of the answer to a handshake, and how many fields it should have."""
    answer = handshake.answer(request, handshake.FIRST_OFFERED, may_deflate=True)
    if isinstance(answer, Upgrade):
        return encode_upgrade(answer.headers), len(answer.headers)
    head = encode_response(answer, head_only=True, keep_alive=False, now=0)
    return head, len(answer.headers) + _FIELDS_OF_EVERY_RESPONSE


def read_seeds(file: Path) -> list[bytes]:
    """Return the inputs in a file of seeds."""
    return [unescape(line) for line in file.read_text("ascii").splitlines() if not line.startswith("#")]


def seed_line(data: bytes) -> str:
    """Return `data` as a line of a file of seeds."""
    text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    text = re.sub(r"\A#", r"\\x23", text)
    return re.sub(r" \Z", r"\\x20", text)


def fuzz_expanded(folder: Path, options: list[str], *, grow: bool) -> int:
    """Fuzz in a process of its own with the seeds of `folder` in single files; return its exit code."""
    file = folder / SEEDS
    with TemporaryDirectory() as expanded:
        seeds = read_seeds(file)
        for number, seed in enumerate(seeds):
            (Path(expanded) / f"seed-{number}").write_bytes(seed)
        code = subprocess.run([sys.executable, __file__, *options, expanded], check=False).returncode
        found = {path.read_bytes() for path in Path(expanded).iterdir()} - set(seeds)
    if grow:
        lines = sorted(seed_line(data) for data in found if len(data) <= MAX_SEED)
        file.write_text(file.read_text("ascii") + "".join(f"{line}\n" for line in lines), "ascii")
    return code


def main() -> None:
    """Fuzz, or expand the seeds and let another process do so."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--grow"]
    folders = [Path(argument) for argument in arguments if (Path(argument) / SEEDS).is_file()]
    if folders:
        options = [argument for argument in arguments if Path(argument) != folders[0]]
        sys.exit(fuzz_expanded(folders[0], options, grow="--grow" in sys.argv))
    atheris.Setup([sys.argv[0], *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
