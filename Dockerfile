# The image of wsecho: one stage compiles the codec into a wheel, the other holds only Python and what runs.
#
#     docker build -t wsecho .
#     docker run --rm -p 8080:8080 wsecho
#
# Nothing here is BuildKit syntax (no RUN --mount, no COPY --chmod, no here-documents), so that `docker build`, podman,
# buildah, and the builder behind `gcloud run deploy --source .` read it alike. podman and buildah keep HEALTHCHECK
# only in Docker's image format: give them `--format docker`.

# Any base of the Debian family will do that has python3 (3.11 or newer) with headers, venv and pip: a mirror of your
# own, or the same image pinned by digest. Both stages use it, because the codec is compiled for one Python and one libc.
ARG PYTHON_IMAGE=python:3.13-slim-trixie


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# gcc has no version here: a suite of Debian changes it only for fixes, which are wanted, and the release that they
# replace can no longer be installed.
# hadolint ignore=DL3008
RUN command -v gcc > /dev/null \
    || { apt-get update \
         && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev \
         && rm -rf /var/lib/apt/lists/*; }

# The dependencies go in before the sources, so that a change to the code does not install them again. The environment
# gets no pip of its own, the base's fills it from outside: the running server has no use for one.
COPY requirements.txt /src/
RUN python3 -m venv --without-pip /opt/wsecho \
    && python3 -m pip --python /opt/wsecho/bin/python3 install --requirement /src/requirements.txt

# Without the variable a failed compilation would go unnoticed, since the plain codec serves too, only slower. The
# wheel's own dependencies were installed above; what its extras need comes now.
COPY . /src/
# Extras of the package: docker build --build-arg EXTRAS=jwt,gcp
ARG EXTRAS=jwt
RUN WSECHO_REQUIRE_NATIVE=1 python3 -m pip --python /opt/wsecho/bin/python3 wheel --no-deps --wheel-dir /wheels /src \
    && python3 -m pip --python /opt/wsecho/bin/python3 install --no-deps --no-index /wheels/*.whl \
    && { [ -z "$EXTRAS" ] \
         || python3 -m pip --python /opt/wsecho/bin/python3 install "$(echo /wheels/*.whl)[$EXTRAS]"; } \
    && python3 -m pip --python /opt/wsecho/bin/python3 check

# Process 1 is deaf to a signal that it has no handler for, as Python has none while it starts: so both are held back from
# the first millisecond on, until the server can hear them. Then the proof that the installed package has the compiled
# codec and that it loads: -I keeps the working directory off the path, and a RuntimeWarning is how Cython says that a
# library is not the release it was compiled against.
RUN sed --in-place '1s|^#!|#!/usr/bin/env -S --block-signal=TERM,INT |' /opt/wsecho/bin/wsecho \
    && /opt/wsecho/bin/python3 -I -W error::RuntimeWarning -c \
    "import wsecho.codec.native.echo as codec; assert codec.__file__.endswith('.so'), codec.__file__"


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}

# For the labels below; a release sets them: docker build --build-arg VERSION=... --build-arg REVISION=...
ARG VERSION=unknown
ARG REVISION=unknown

# All that this stage adds to the base is this folder. It stays root's, so the server cannot change its own code.
COPY --from=build /opt/wsecho /opt/wsecho

# PORT is what Cloud Run and its like set. Unbuffered, the last log lines before a crash are not lost.
ENV PATH=/opt/wsecho/bin:$PATH \
    PORT=8080 \
    PYTHONUNBUFFERED=1

EXPOSE 8080

# By number, because Kubernetes' runAsNonRoot cannot judge a name; it needs no entry in /etc/passwd.
USER 65532:65532

# In Python, because a slim image has no curl. It asks where the environment says that the server listens, in the server's
# own order of precedence, with TLS where the server speaks it; what was given as --host or --port it cannot know. Cloud Run
# and Kubernetes ignore it and use probes of their own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["python3", "-I", "-m", "wsecho.processes.health_probe"]

LABEL org.opencontainers.image.title="wsecho" \
      org.opencontainers.image.description="WebSocket echo server that can be trusted as a measuring instrument" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The exec form, with no shell between: the server is process 1 and SIGTERM reaches it. What follows the image's name on
# the command line becomes options of the server: docker run wsecho --max-message-size 1MiB
ENTRYPOINT ["wsecho"]
