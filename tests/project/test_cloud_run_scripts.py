"""deploy.sh and clean-up.sh of deploy/cloud-run/, with a stand-in for gcloud that keeps what a project would keep."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.shared.server import ROOT

SCRIPTS = ROOT / "deploy/cloud-run"
EVERYTHING = {"apis", "account", "role", "service", "images", "sources"}
# Words of commands that docs/cloud-run.md has as well, which have a test of their own.
DOCUMENTED = {"enable", "delete", "rm", "deploy", "add-iam-policy-binding", "remove-iam-policy-binding", "get-value"}

# Answers as gcloud does for what the scripts ask, and changes the state. It knows no command but those.
STAND_IN = """
import json, os, sys
from pathlib import Path

folder = Path(os.environ["PROJECT_STATE"])
words = [word for word in sys.argv[1:] if not word.startswith("-")]
state = json.loads((folder / "state").read_text())
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
command = " ".join(words[:3])
failing = json.loads((folder / "failing").read_text())
if failing and command.startswith(failing[0]):
    (folder / "failing").write_text(json.dumps(failing[1:]))
    sys.exit("ERROR: (gcloud) the stand-in was told to fail here")


def described(name, text, missing):
    if name not in state:
        sys.exit(f"ERROR: (gcloud) {missing}")
    print(text)


def create(*names, **values):
    state.update(dict.fromkeys(names, "") | values)


def delete(name):
    if name not in state:
        sys.exit(f"ERROR: (gcloud) NOT_FOUND: {name}")
    del state[name]


def bind():
    if "account" not in state:
        sys.exit("ERROR: (gcloud) INVALID_ARGUMENT: Service account does not exist.")
    create("role")


match command:
    case "config get-value project":
        print(state.get("configured", ""))
    case "services enable run.googleapis.com":
        create("apis")
    case "iam service-accounts describe":
        described("account", f"{words[3]}\\t{state.get('account')}", "NOT_FOUND: Unknown service account")
    case "iam service-accounts create":
        if "account" in state:
            sys.exit("ERROR: (gcloud) ALREADY_EXISTS")
        create(account=next(word for word in sys.argv if word.startswith("--description=")).split("=", 1)[1])
    case "iam service-accounts delete":
        delete("account")
    case "projects add-iam-policy-binding my-project":
        bind()
    case "projects get-iam-policy my-project":
        print("roles/monitoring.metricWriter" if "role" in state else "")
    case "projects remove-iam-policy-binding my-project":
        delete("role")
    case "run deploy websocket-echo":
        create("service", "images", "sources")
    case "run services describe":
        described("service", "https://websocket-echo.run.app", "Cannot find service [websocket-echo]")
    case "run services delete":
        delete("service")
    case "artifacts docker images":
        if words[3] == "list":
            print("image" if "images" in state else "")
        else:
            delete("images")
    case _ if command.startswith("storage ls"):
        described("sources", "gs://a", "One or more URLs matched no objects.")
    case _ if command.startswith("storage rm"):
        delete("sources")
    case _:
        sys.exit(f"ERROR: the stand-in does not know {command}")
(folder / "state").write_text(json.dumps(state))
"""


class CloudProject:
    """A project in the cloud: `state` is what exists in it, `calls` are the commands of gcloud that it got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = {}
        self.fail_at()
        (folder / "calls").touch()
        program = folder / "gcloud"
        program.write_text(f"#!{sys.executable} -IS\n{STAND_IN}")
        program.chmod(0o755)

    @property
    def state(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "state").read_text())
        return found

    @state.setter
    def state(self, state: dict[str, str]) -> None:
        (self.folder / "state").write_text(json.dumps(state))

    @property
    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def fail_at(self, *commands: str) -> None:
        """Let gcloud fail once at each of these commands, in this order."""
        (self.folder / "failing").write_text(json.dumps(commands))

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "calls").write_text("")
        env = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "PROJECT_STATE": str(self.folder),
            "PROJECT_ID": "my-project",
            "RETRY_PAUSE": "0",
        }
        command = [str(SCRIPTS / script), *arguments]
        return subprocess.run(command, env=env | environment, cwd="/", capture_output=True, text=True, timeout=60)

    def changes(self) -> list[str]:
        """Return the first words of the commands that would change a project, in their order."""
        reads = ("describe", "list", "ls", "get-iam-policy", "get-value")
        first = (" ".join(word for word in call if not word.startswith("-")) for call in self.calls)
        return [words for words in first if not any(read in words.split() for read in reads)]


@pytest.fixture
def project(tmp_path: Path) -> CloudProject:
    return CloudProject(tmp_path)


def test_deploys_into_an_empty_project_and_says_where(project: CloudProject) -> None:
    done = project.run("deploy.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("test page: https://websocket-echo.run.app    WebSocket: wss://websocket-echo.run.app\n")
    assert set(project.state) == EVERYTHING
    assert [" ".join(words.split()[:3]) for words in project.changes()] == [
        "services enable run.googleapis.com",
        "iam service-accounts create",
        "projects add-iam-policy-binding my-project",
        "run deploy websocket-echo",
    ]


def test_a_second_deployment_creates_no_account(project: CloudProject) -> None:
    project.run("deploy.sh")
    assert project.run("deploy.sh").returncode == 0
    assert not any("create" in call for call in project.calls)


@pytest.mark.parametrize(
    "command", ["services enable", "iam service-accounts create", "run deploy", "iam service-accounts describe"]
)
def test_after_a_failure_the_same_command_completes_the_deployment(project: CloudProject, command: str) -> None:
    project.fail_at(command)
    failed = project.run("deploy.sh")
    assert failed.returncode != 0
    assert "told to fail here" in failed.stderr
    assert project.run("deploy.sh").returncode == 0
    assert set(project.state) == EVERYTHING


def test_a_new_account_gets_its_role_when_it_is_known_everywhere(project: CloudProject) -> None:
    project.fail_at(*["projects add-iam-policy-binding"] * 4)
    assert project.run("deploy.sh").returncode == 0
    assert "role" in project.state


def test_without_the_role_nothing_is_deployed(project: CloudProject) -> None:
    project.fail_at(*["projects add-iam-policy-binding"] * 5)
    failed = project.run("deploy.sh")
    assert failed.returncode == 1
    assert "did not get roles/monitoring.metricWriter; run this script again" in failed.stderr
    assert "service" not in project.state


def test_clean_up_leaves_what_was_there_before(project: CloudProject) -> None:
    project.run("deploy.sh")
    done = project.run("clean-up.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(project.state) == {"apis"}
    assert [" ".join(words.split()[:3]) for words in project.changes()] == [
        "run services delete",
        "artifacts docker images",
        "storage rm gs://run-sources-my-project-europe-west1/services/websocket-echo",
        "projects remove-iam-policy-binding my-project",
        "iam service-accounts delete",
    ]


def test_clean_up_of_an_empty_project_changes_nothing(project: CloudProject) -> None:
    done = project.run("clean-up.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.changes() == []


@pytest.mark.parametrize(
    "command",
    [
        *("run services delete", "run services describe", "artifacts docker", "storage ls", "storage rm"),
        *("iam service-accounts describe", "projects get-iam-policy", "projects remove", "iam service-accounts delete"),
    ],
)
def test_after_a_failure_the_same_command_completes_the_clean_up(project: CloudProject, command: str) -> None:
    project.run("deploy.sh")
    project.fail_at(command)
    failed = project.run("clean-up.sh")
    assert failed.returncode != 0
    assert "told to fail here" in failed.stderr
    assert "account" in project.state
    assert project.run("clean-up.sh").returncode == 0
    assert set(project.state) == {"apis"}


def test_clean_up_keeps_an_account_that_somebody_else_created(project: CloudProject) -> None:
    project.state = {"account": "for our other services"}
    project.run("deploy.sh")
    done = project.run("clean-up.sh")
    assert done.returncode == 0
    assert "was not created by deploy.sh: it stays, with its roles" in done.stderr
    assert set(project.state) == {"apis", "account", "role"}


@pytest.mark.parametrize("script", ["deploy.sh", "clean-up.sh"])
def test_a_dry_run_prints_the_commands_that_a_run_makes(project: CloudProject, script: str) -> None:
    if script == "clean-up.sh":
        project.run("deploy.sh")
    printed = project.run(script, "--dry-run")
    assert project.calls == []
    project.run(script)
    changing = project.changes()
    made = [call for call in project.calls if " ".join(w for w in call if not w.startswith("-")) in changing]
    assert [shlex.split(line) for line in printed.stdout.splitlines()] == [["gcloud", *call] for call in made]


def test_options_take_precedence_over_the_environment(project: CloudProject) -> None:
    done = project.run("deploy.sh", "--dry-run", "--region", "us-east1", "--service", "other", REGION="asia-east1")
    assert "--region=us-east1" in done.stdout
    assert "gcloud run deploy other" in done.stdout
    assert "other-sa@my-project.iam.gserviceaccount.com" in done.stdout


def test_further_options_reach_the_deployment(project: CloudProject) -> None:
    project.run("deploy.sh", "--", "--max-instances=3", "--set-env-vars=A=b c")
    deployment = next(call for call in project.calls if call[:2] == ["run", "deploy"])
    assert deployment[-2:] == ["--max-instances=3", "--set-env-vars=A=b c"]


@pytest.mark.parametrize("script", ["deploy.sh", "clean-up.sh"])
@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        (["--projekt", "x"], {}, "unknown argument '--projekt'; --help lists the options"),
        (["--region"], {}, "--region needs a value"),
        ([], {"PROJECT_ID": ""}, "no project: use --project ID, or run 'gcloud config set project ID'"),
    ],
)
def test_bad_arguments_change_nothing(
    project: CloudProject, script: str, arguments: list[str], environment: dict[str, Any], complaint: str
) -> None:
    done = project.run(script, *arguments, **environment)
    assert (done.returncode, done.stderr) == (2, f"{script}: {complaint}\n")
    assert project.changes() == []


def test_the_configured_project_is_used(project: CloudProject) -> None:
    project.state = {"configured": "my-project"}
    assert project.run("deploy.sh", PROJECT_ID="").returncode == 0
    assert "service" in project.state


def test_without_gcloud_the_scripts_say_where_it_is_to_be_had(project: CloudProject, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("bash", "dirname", "cat", "env"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    done = project.run("deploy.sh", PATH=str(programs))
    assert (done.returncode, done.stderr) == (
        1,
        "deploy.sh: gcloud is not installed: https://cloud.google.com/sdk/docs/install\n",
    )


@pytest.mark.skipif(shutil.which("gcloud") is None, reason="needs gcloud")
def test_gcloud_accepts_every_command_that_the_documentation_does_not_have(
    project: CloudProject, tmp_path: Path
) -> None:
    project.run("deploy.sh")
    calls = project.calls
    project.run("clean-up.sh")
    calls += project.calls
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}

    def complaint(call: tuple[str, ...]) -> str:
        done = subprocess.run(["gcloud", *call], env=env, capture_output=True, text=True)
        # No account is active. gcloud reports that only for a command whose syntax is correct.
        understood = done.returncode == 0 or "have an active account" in done.stderr
        return "" if understood else f"{' '.join(call)}: {done.stderr}"

    with ThreadPoolExecutor(2) as pool:
        own = {tuple(call) for call in calls if not DOCUMENTED & {*call}}
        assert "".join(pool.map(complaint, sorted(own))) == ""


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs the Debian package shellcheck")
def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        ["shellcheck", "--external-sources", *(str(script) for script in sorted(SCRIPTS.glob("*.sh")))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
