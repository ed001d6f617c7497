# The image of wsecho. The first stage compiles the codec and installs the server; the second one has only Python and
# the installed server.
#
#     docker build -t wsecho .
#     docker run --rm -p 8080:8080 wsecho
#
# This file uses no BuildKit syntax (no RUN --mount, no COPY --chmod, no here-documents), so that `docker build`,
# podman, buildah, and the builder behind `gcloud run deploy --source .` can all read it. podman and buildah keep
# HEALTHCHECK only in Docker's image format: use `--format docker` with them.

# The base image can be any image of the Debian family that has python3 (3.11 or newer) with headers, venv and pip, such
# as one from your own mirror, or this one pinned by digest. Both stages use it, because the codec is compiled for one
# version of Python and one libc.
ARG PYTHON_IMAGE=python:3.13-slim-trixie


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1

# The version of gcc is not pinned: a Debian release changes it only for fixes, which are wanted, and the version that a
# fix replaces can no longer be installed.
# hadolint ignore=DL3008
RUN command -v gcc > /dev/null \
    || { apt-get update \
         && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev \
         && rm -rf /var/lib/apt/lists/*; }

# The dependencies are installed before the sources are copied, so that a change to the code does not install them
# again. The pip of the base image installs them from outside: the environment gets no pip, because the server does not
# need it.
COPY requirements.txt /src/
RUN python3 -m venv --without-pip /opt/wsecho \
    && python3 -m pip --python /opt/wsecho/bin/python3 install --no-compile --requirement /src/requirements.txt

# Without WSECHO_REQUIRE_NATIVE a failed compilation would go unnoticed, because the server also works with the Python
# codec, only slower. The dependencies of the wheel were installed above; those of its extras are installed here.
COPY . /src/
# Extras of the package: docker build --build-arg EXTRAS=jwt,gcp
ARG EXTRAS=jwt
RUN WSECHO_REQUIRE_NATIVE=1 python3 -m pip --python /opt/wsecho/bin/python3 wheel --no-deps --wheel-dir /wheels /src \
    && python3 -m pip --python /opt/wsecho/bin/python3 install --no-compile --no-deps --no-index /wheels/*.whl \
    && { [ -z "$EXTRAS" ] \
         || python3 -m pip --python /opt/wsecho/bin/python3 install --no-compile "$(echo /wheels/*.whl)[$EXTRAS]"; } \
    && python3 -m pip --python /opt/wsecho/bin/python3 check

# The kernel drops a signal to process 1 that has no handler, and Python has none while it starts. So SIGTERM and SIGINT
# are blocked from the first millisecond until the server can handle them. The second command checks that the installed
# package has the compiled codec and that it loads: -I keeps the working directory off the path, and Cython issues a
# RuntimeWarning if a library is not the version that the codec was compiled against.
RUN sed --in-place '1s|^#!|#!/usr/bin/env -S --block-signal=TERM,INT |' /opt/wsecho/bin/wsecho \
    && /opt/wsecho/bin/python3 -I -W error::RuntimeWarning -c \
    "import wsecho.codec.native.echo as codec; assert codec.__file__.endswith('.so'), codec.__file__"

# The bytecode is not compared with its source: pip's would be, by the time of the last change, which an image stores as
# a whole second. Half of the modules would then be compiled again at each start.
RUN /opt/wsecho/bin/python3 -m compileall -f -q --invalidation-mode unchecked-hash /opt/wsecho/lib


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}

# Values of the labels below. A release sets them: docker build --build-arg VERSION=... --build-arg REVISION=...
ARG VERSION=unknown
ARG REVISION=unknown

# This folder and the bytecode below are all that this stage adds to the base image. It belongs to root, so the server
# cannot change its own code.
COPY --from=build /opt/wsecho /opt/wsecho

# Cloud Run and similar platforms set PORT. With unbuffered output, the last log lines before a crash are not lost.
ENV PATH=/opt/wsecho/bin:$PATH \
    PORT=8080 \
    PYTHONUNBUFFERED=1

# The official images of Python have no bytecode of the standard library, and the server may write none. Without this
# command, each start and each health check would compile the modules that it imports.
RUN ["python3", "-I", "-m", "wsecho.bytecode"]

EXPOSE 8080

# A number, because Kubernetes' runAsNonRoot cannot check a name. It needs no entry in /etc/passwd.
USER 65532:65532

# The check is in Python, because a slim image has no curl. It reads the address of the server from the environment, in
# the same order of precedence as the server, and uses TLS if the server does. It cannot know options on the command
# line, such as --host and --port. Cloud Run and Kubernetes ignore it and use probes of their own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["python3", "-I", "-m", "wsecho.processes.health_probe"]

LABEL org.opencontainers.image.title="wsecho" \
      org.opencontainers.image.description="WebSocket echo server that can be trusted as a measuring instrument" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# The exec form runs the server without a shell, so that the server is process 1 and receives SIGTERM. Arguments after
# the name of the image are options of the server: docker run wsecho --max-message-size 1MiB
ENTRYPOINT ["wsecho"]
