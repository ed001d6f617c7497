"""Builds the compiled codec. All else is in pyproject.toml; without a compiler the plain codec serves."""

import os

from setuptools import Extension, setup

MODULES = {
    "wsecho.native.receive_buffer": "wsecho/native/receive_buffer.pyx",
    "wsecho.native.tally": "wsecho/native/tally.pyx",
    "wsecho.native.inflater": "wsecho/inflater.py",
    "wsecho.native.echo": "wsecho/echo.py",
    "wsecho.native.wire": "wsecho/native/wire.pyx",
}


def extensions() -> list[Extension]:
    from Cython.Build import cythonize

    # WSECHO_REQUIRE_NATIVE=1 makes a failed compilation an error (images, tests); else the plain codec is what remains.
    optional = os.environ.get("WSECHO_REQUIRE_NATIVE") != "1"
    modules = [Extension(name, [source], include_dirs=["wsecho/native"]) for name, source in MODULES.items()]
    directives = {"language_level": 3, "annotation_typing": False, "cdivision": True}
    # Forced, because Cython looks for the types of a .py beside it and would miss a change in wsecho/native/echo.pxd.
    compiled = cythonize(modules, build_dir="build/cython", compiler_directives=directives, force=True)
    for module in compiled:
        module.optional = optional  # here, because Cython makes new ones
    return compiled


setup(ext_modules=extensions())
