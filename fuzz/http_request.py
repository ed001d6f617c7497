"""Fuzzes the parsing of HTTP requests and the opening handshake.

    python fuzz/http_request.py -max_total_time=60 fuzz/corpus/http_request

These properties must hold for any bytes:

1. RequestReader raises nothing but RequestError, and the handshake raises nothing.
2. The result does not depend on how the bytes are split: the same request, or the same refusal with the same text.
3. wsecho and h11 accept the same requests and read the same from them, except for the deviations that
   tests/http/test_http1_differential.py lists.
4. The compiled reader of plain requests accepts only what RequestReader accepts, and reads the same from it.
5. The head of a response has exactly the expected number of fields, in printable ASCII. So no input of a client can
   end a line in it.

All other options are libFuzzer's. The seeds in a folder with a file `seeds.txt` are written to a temporary folder as
single files. With `--grow`, short inputs that covered something new are added to `seeds.txt`. It has one input per
line, with the escapes of a bytes literal. A line that starts with # is a comment.
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
# Bytes. Longer inputs mostly repeat what shorter ones cover.
MAX_SEED = 256

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho", "h11"]):
    import h11  # noqa: F401

    from tests.codec import test_plain_request
    from tests.http.test_http1_differential import check_segmentation, compare, unescape
    from wsecho.http.http1 import RequestError, RequestReader, encode_response
    from wsecho.http.request import Request
    from wsecho.http.response import plain
    from wsecho.websocket import handshake
    from wsecho.websocket.upgrade import Upgrade

_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [ -~]*")
# Date, Content-Length and Connection.
_FIELDS_OF_EVERY_RESPONSE = 3


def check(data: bytes) -> None:
    """Check all properties for one input."""
    cuts = random.Random(zlib.crc32(data))
    compare(data)
    check_segmentation(data, [cuts.randrange(len(data) + 1)], [cuts.randrange(len(data) + 1) for _ in range(5)])
    test_plain_request.check(data)
    check_answer(data)


def check_answer(data: bytes) -> None:
    """Assert that the head of the response has the expected number of fields and is printable."""
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
    """Return the head of a refusal, and its expected number of fields."""
    response = plain(error.status, str(error), close=True)
    head = encode_response(response, head_only=True, keep_alive=False, now=0)
    return head, len(response.headers) + _FIELDS_OF_EVERY_RESPONSE


def _answer_handshake(request: Request) -> tuple[bytes, int]:
    """Return the head of the response to a handshake, and its expected number of fields."""
    answer = handshake.answer(request, handshake.FIRST_OFFERED)
    if isinstance(answer, Upgrade):
        return answer.encode(), len(answer.headers)
    head = encode_response(answer, head_only=True, keep_alive=False, now=0)
    return head, len(answer.headers) + _FIELDS_OF_EVERY_RESPONSE


def read_seeds(file: Path) -> list[bytes]:
    """Return the inputs in a seed file."""
    return [unescape(line) for line in file.read_text("ascii").splitlines() if not line.startswith("#")]


def seed_line(data: bytes) -> str:
    """Return `data` as a line of a seed file."""
    text = data.decode("latin-1").encode("unicode_escape").decode("ascii")
    text = re.sub(r"\A#", r"\\x23", text)
    return re.sub(r" \Z", r"\\x20", text)


def fuzz_expanded(folder: Path, options: list[str], *, grow: bool) -> int:
    """Fuzz in a new process, with the seeds of `folder` as single files; return its exit code."""
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
    """Fuzz here, or, for a folder with a seed file, in another process."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--grow"]
    folders = [Path(argument) for argument in arguments if (Path(argument) / SEEDS).is_file()]
    if folders:
        options = [argument for argument in arguments if Path(argument) != folders[0]]
        sys.exit(fuzz_expanded(folders[0], options, grow="--grow" in sys.argv))
    atheris.Setup([sys.argv[0], *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
