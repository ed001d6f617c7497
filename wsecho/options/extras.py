"""The package's optional dependencies ("extras"): which option needs which, and the command that installs it."""

import sys
from importlib.util import find_spec

# A copy of what pyproject.toml says, because an installed package does not contain pyproject.toml.
REQUIREMENTS = {
    "self-signed": ("cryptography>=45,<51",),
    "gcp": ("opentelemetry-exporter-credential-provider-gcp>=0.66b1,<1", "opentelemetry-resourcedetector-gcp>=1.14,<2"),
    "grpc": ("opentelemetry-exporter-otlp-proto-grpc>=1.43,<2",),
    "jwt": ("PyJWT[crypto]>=2.15,<3",),
}


class MissingExtraError(LookupError):
    """An option needs an extra that is not installed. `remedy` is the command that installs it."""

    def __init__(self, option: str, extra: str) -> None:
        super().__init__(f"{option} needs the extra {extra!r}")
        self.remedy = _command(extra)


def missing(option: str, extra: str) -> str:
    """Return one line for the user: the extra that `option` needs, and the command that installs it.

    The command installs it into the environment that this process runs in.
    """
    error = MissingExtraError(option, extra)
    return f"{error}, which is not installed: {error.remedy}"


def _command(extra: str) -> str:
    import shlex  # imported only when needed: most starts lack nothing

    python, requirements = shlex.quote(sys.executable), shlex.join(REQUIREMENTS[extra])
    if find_spec("pip"):
        return f"{python} -m pip install {requirements}"
    # Environments made by uv have no pip, nor has the container image of this project, which must be rebuilt instead.
    return f"uv pip install --python {python} {requirements}, or docker build --build-arg EXTRAS={extra}"
