"""Builds the compiled codec; pyproject.toml has everything else. Without a compiler, the Python codec is used."""

import os
import shlex
import shutil
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

MODULES = {
    "wsecho.codec.native.receive_buffer": "wsecho/codec/native/receive_buffer.pyx",
    "wsecho.codec.native.message_counters": "wsecho/codec/native/message_counters.pyx",
    "wsecho.codec.native.cells": "wsecho/codec/native/cells.pyx",
    "wsecho.codec.native.inflater": "wsecho/websocket/inflater.py",
    "wsecho.codec.native.echo": "wsecho/websocket/echo.py",
    "wsecho.tcp.addresses": "wsecho/tcp/addresses.pyx",
    "wsecho.tcp.epoll_set": "wsecho/tcp/epoll_set.pyx",
    "wsecho.tcp.epoll_transport": "wsecho/tcp/epoll_transport.pyx",
    "wsecho.codec.native.wire": "wsecho/codec/native/wire.pyx",
    "wsecho.codec.native.fastnet_wire": "wsecho/codec/native/fastnet_wire.pyx",
    "wsecho.tls.native.client_hello": "wsecho/tls/client_hello.py",
    "wsecho.tls.native.message_limit": "wsecho/tls/native/message_limit.pyx",
    "wsecho.codec.native.accept_key": "wsecho/codec/native/accept_key.pyx",
    "wsecho.codec.native.plain_request": "wsecho/codec/native/plain_request.pyx",
}
HEADERS = ["wsecho/codec/native", "wsecho/tcp"]
# WSECHO_REQUIRE_NATIVE=1 makes a failed compilation an error (images, tests). Otherwise the Python codec is used then.
OPTIONAL = os.environ.get("WSECHO_REQUIRE_NATIVE") != "1"
# Python's own flags ask for debugging information, which takes a third of the compile time. A user who sets CFLAGS may
# want it.
FLAGS = [] if "CFLAGS" in os.environ else ["-g0"]
DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,
    "cdivision": True,
    # Nothing pickles the codec or inspects its signatures. Without support for both there is a third less to compile.
    "auto_pickle": False,
    "binding": False,
}


class BuildCodec(build_ext):
    """Compiles the codec. Removes the previous build first, so that a failed build leaves no code of older sources."""

    def run(self) -> None:
        for name in MODULES:
            for folder in (self.build_lib, *["."] * self.inplace):
                Path(folder, self.get_ext_filename(name)).unlink(missing_ok=True)
        lacking = missing()
        if OPTIONAL and lacking:
            print(f"The codec is not compiled: {lacking} is missing.")
            return
        from Cython.Build import cythonize

        # Forced, because Cython would miss a change in a .pxd that is not in the same folder as its .py.
        compiled = cythonize(
            self.extensions, build_dir="build/cython", compiler_directives=DIRECTIVES, force=True, quiet=True
        )
        for extension, made in zip(self.extensions, compiled, strict=True):
            extension.sources = made.sources
        super().run()


def missing() -> str:
    """Return the name of something that a compilation needs and that is missing; empty if nothing is known to be."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"a C compiler ({compiler})"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return "" if header.exists() else f"{header} (Debian: python3-dev)"


setup(
    ext_modules=[
        Extension(name, [source], include_dirs=HEADERS, extra_compile_args=FLAGS, optional=OPTIONAL)
        for name, source in MODULES.items()
    ],
    cmdclass={"build_ext": BuildCodec},
    options={"build_ext": {"parallel": True}},
)
