"""The workflows in .github/, as linters judge them, and what they must have in common with the rest."""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.other_pythons import supported
from tests.shared.server import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"].values()]
STEPS = [step for _, job in JOBS for step in job.get("steps", [])]
# The jobs that publish, and what they may write. No other job may write anything.
PUBLISHING = {
    "image": {"packages"},
    "pypi": {"id-token"},
    "tags": {"packages", "id-token", "attestations"},
    "announce": {"contents"},
}


def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name(program), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_actionlint_has_nothing_to_say() -> None:
    done = run("actionlint", *FILES)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_zizmor_has_nothing_to_say() -> None:
    done = run("zizmor", "--offline", "--no-progress", "--persona=pedantic", "--strict-collection", ".github")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "files"), [("dependabot", "dependabot.yml"), ("github-issue-forms", "ISSUE_TEMPLATE/*.yml")]
)
def test_github_knows_every_field(schema: str, files: str) -> None:
    done = run("check-jsonschema", f"--builtin-schema=vendor.{schema}", *(ROOT / ".github").glob(files))
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_action_is_pinned_by_one_digest_and_its_version_is_named() -> None:
    pins = defaultdict(set)
    for file in FILES:
        for action, pin in re.findall(r"uses: ([^.\s@]+)(.*)", file.read_text()):
            assert re.fullmatch(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), action
            pins[action].add(pin)
    assert {action: len(found) for action, found in pins.items() if len(found) > 1} == {}


def test_only_the_jobs_that_publish_may_write() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow["permissions"] == {}, name
        for job, settings in workflow["jobs"].items():
            writes = {permission for permission, access in settings["permissions"].items() if access == "write"}
            assert writes == (PUBLISHING.get(job, set()) if name == "release" else set()), (name, job)


def test_nothing_is_published_before_everything_has_been_tested() -> None:
    jobs = WORKFLOWS["release"]["jobs"]

    def before(job: str) -> set[str]:
        needed = jobs[job].get("needs", [])
        direct = {needed} if isinstance(needed, str) else set(needed)
        return direct.union(*map(before, direct))

    for job in ("pypi", "tags", "announce"):
        assert {"check", "test", "lint", "wheels", "image"} <= before(job), job
    assert before("announce") == jobs.keys() - {"announce"}


def test_everything_that_a_workflow_runs_exists() -> None:
    commands = "\n".join(step["run"] for step in STEPS if "run" in step)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = " ".join(re.findall(r"^make (.+)", commands, re.MULTILINE)).split()
    assert asked
    assert set(asked) <= set(targets)
    assert [script for script in re.findall(r"\.ci/[\w-]+", commands) if not (ROOT / script).exists()] == []
    called = [job["uses"] for _, job in JOBS if "uses" in job]
    assert [path for path in called if not (ROOT / path).exists()] == []


def test_a_pull_request_builds_what_it_changes() -> None:
    def unbuilt(workflow: str, files: list[str]) -> list[str]:
        # PyYAML reads the key `on` as true.
        patterns = WORKFLOWS[workflow][True]["pull_request"]["paths"]  # type: ignore[index]
        return [file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)]

    compiled = re.findall(r'"(wsecho/\S+\.pyx?)"', (ROOT / "setup.py").read_text())
    copied = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert compiled
    assert copied
    assert unbuilt("wheels", compiled) == []
    assert unbuilt("image", [f"{name}/x" if (ROOT / name).is_dir() else name for name in copied]) == [
        *("LICENSE", "README.md")
    ]


def test_all_supported_pythons_and_no_others_are_named() -> None:
    versions = supported()
    assert WORKFLOWS["test"]["jobs"]["core"]["strategy"]["matrix"]["python"] == versions
    named = {step["with"]["python-version"] for step in STEPS if "python-version" in step.get("with", {})}
    assert named - {"${{ matrix.python }}"} <= set(versions)
    image = re.fullmatch(r"python:([\d.]+)-\w+", WORKFLOWS["test"]["jobs"]["everything"]["container"]["image"])
    assert image
    assert image[1] in versions
    assert f"CPython {versions[0]} to {versions[-1]}" in (ROOT / "docs/releases.md").read_text()
    for name in ("Makefile", "CONTRIBUTING.md", "wsecho/__main__.py"):
        assert set(re.findall(r"python(3\.\d+)", (ROOT / name).read_text())) <= set(versions), name


def test_the_wheels_of_a_release_are_those_of_all_pythons_and_systems() -> None:
    expected = {
        f"cp{version.replace('.', '')}-{libc}_{architecture}"
        for version in supported()
        for libc in ("manylinux", "musllinux")
        for architecture in ("x86_64", "aarch64")
    }
    machines = [job["architecture"] for job in WORKFLOWS["wheels"]["jobs"]["wheels"]["strategy"]["matrix"]["include"]]
    done = run("cibuildwheel", "--platform=linux", f"--archs={','.join(machines)}", "--print-build-identifiers")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == expected


def test_a_wheel_without_the_compiled_codec_is_no_release() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["cibuildwheel"]
    assert settings["environment"] == {"WSECHO_REQUIRE_NATIVE": "1"}
    assert settings["test-command"].endswith("tests/installed.py --codec compiled")
