"""The extras of the package, which some options need, and the commands that install them."""

import shlex
import sys
from importlib.util import find_spec

# As pyproject.toml has them, which is not there once the package is installed.
REQUIREMENTS = {
    "self-signed": ("cryptography>=45,<51",),
    "gcp": ("opentelemetry-exporter-credential-provider-gcp>=0.66b1,<1", "opentelemetry-resourcedetector-gcp>=1.14,<2"),
    "grpc": ("opentelemetry-exporter-otlp-proto-grpc>=1.43,<2",),
    "jwt": ("PyJWT[crypto]>=2.15,<3",),
}


class MissingExtraError(LookupError):
    """What an option needs is not installed. `remedy` is a command."""

    def __init__(self, option: str, extra: str) -> None:
        super().__init__(f"{option} needs the extra {extra!r}")
        self.remedy = _command(extra)


def missing(option: str, extra: str) -> str:
    """Return a line that says what `option` needs, and how to get it into the environment that this process runs in."""
    error = MissingExtraError(option, extra)
    return f"{error}, which is not installed: {error.remedy}"


def _command(extra: str) -> str:
    python, requirements = shlex.quote(sys.executable), shlex.join(REQUIREMENTS[extra])
    if find_spec("pip"):
        return f"{python} -m pip install {requirements}"
    # There is no pip in our image, which is built anew instead, and in environments that uv has made.
    return f"uv pip install --python {python} {requirements}, or docker build --build-arg EXTRAS={extra}"
