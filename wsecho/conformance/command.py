"""`wsecho conformance`: its options, its output and its exit code."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from wsecho.conformance.cases import SETS, Case, Set, all_cases, selected
from wsecho.conformance.client_command import ClientCommand
from wsecho.conformance.reports import Reports
from wsecho.conformance.results import Results
from wsecho.logs.fields import shown
from wsecho.options.config import OPTIONS, Config
from wsecho.options.option import OptionError

_PORT = "9001"
# Options of the server that a run has too.
_OF_THE_SERVER = ("host", "port", "tls_cert", "tls_key", "tls_self_signed")
# What else the server is told: nothing but the time limits of the cases ends a connection.
_FIXED = {
    "log_level": "error",
    "ping_interval": "0",
    "close_timeout": "1h",
    "stall_timeout": "1h",
}

_option = partial(click.option, show_envvar=True)


def _values(text: tuple[str, ...]) -> list[str]:
    return [name for each in text for item in each.split(",") if (name := item.strip())]


def _with_options_of_the_server(command: Any) -> Any:
    for option in reversed([each for each in OPTIONS if each.name in _OF_THE_SERVER]):
        default = _PORT if option.name == "port" else option.default or None
        flag = {"is_flag": True} if option.is_switch else {"metavar": option.metavar, "default": default}
        command = _option(option.flag, option.name, help=option.meaning, show_default=bool(default), **flag)(command)
    return command


@click.command(
    context_settings={
        **{"help_option_names": ["-h", "--help"], "max_content_width": 120},
        # Each option is also a variable, such as WSECHO_CONFORMANCE_REPORT_DIR.
        **{"auto_envvar_prefix": "WSECHO_CONFORMANCE", "show_default": True},
    }
)
@_with_options_of_the_server
@_option(
    "--set",
    "which",
    envvar="WSECHO_CONFORMANCE_SET",
    type=click.Choice(SETS),
    default="open",
    help="Which cases: those whose 101 response a "
    "correct client accepts (open), those that it refuses (handshake), or all.",
)
@_option("--only", multiple=True, metavar="NAME...", help="Only these cases: numbers, groups, steps, patterns.")
@_option("--skip", multiple=True, metavar="NAME...", help="Not these cases.")
@_option("--list", "is_list", envvar="WSECHO_CONFORMANCE_LIST", is_flag=True, help="List the cases and exit.")
@_option("--client", metavar="COMMAND", help="Run this command for each case, with the address for {url}, then exit.")
@_option("--agent", metavar="NAME", help="The name of --client in the reports; otherwise that of its program.")
@_option(
    "--report-dir",
    metavar="FOLDER",
    help="Write index.json, junit.xml, index.html and a file for each case to this folder.",
)
def command(
    which: str,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    is_list: bool,
    client: str | None,
    agent: str | None,
    report_dir: str | None,
    **server: Any,
) -> int:
    """Judge a WebSocket client by the scenarios that a server can judge alone. docs/conformance.md says how."""
    config = _config(server)
    encrypted = bool(config.tls_cert or config.tls_self_signed)
    cases = _cases(which, _values(only), _values(skip), encrypted=encrypted)
    if is_list:
        click.echo("".join(f"{case.id:9} {case.group} {case.name}\n" for case in cases), nl=False)
        return 0
    program = _client(client, agent)
    results = Results(cases)
    reports = Reports(results, _folder(report_dir))
    # Imported here, so that --help and --list need no event loop.
    from wsecho.conformance.server import serve

    serve(config, results, reports, program)
    reports.write()
    return _conclude(results, report_dir, program)


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code.

    0: every case that was run is passed. 1: a case failed, none was run, or the server could not start. 2: an option
    was wrong.
    """
    try:
        code = command.main(list(arguments), prog_name="wsecho conformance", standalone_mode=False)
    except click.ClickException as error:
        print(f"wsecho conformance: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except OptionError as error:
        print(f"wsecho conformance: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        return 1
    except (OSError, RuntimeError) as error:
        print(f"wsecho conformance: {error}", file=sys.stderr)
        return 1
    return int(code or 0)


def _config(server: dict[str, Any]) -> Config:
    values: dict[str, Any] = {}
    for option in OPTIONS:
        text = _FIXED.get(option.name) or server.get(option.name)
        if option.is_switch:
            text = "on" if text else None
        if text is not None:
            try:
                values[option.name] = option.value(text)
            except ValueError as error:
                raise OptionError(f"{option.flag}: {error}") from None
    return Config(**values)


def _cases(which: str, only: Sequence[str], skip: Sequence[str], *, encrypted: bool) -> list[Case]:
    try:
        cases = selected(all_cases(encrypted=encrypted), cast(Set, which), only, skip)
    except ValueError as error:
        raise OptionError(f"--only or --skip: {error}") from None
    if not cases:
        raise OptionError("--only, --skip and --set leave no case: --list shows those that a set has")
    return cases


def _client(text: str | None, agent: str | None) -> ClientCommand | None:
    try:
        return None if text is None else ClientCommand(text, agent)
    except ValueError as error:
        raise OptionError(f"--client: {error}") from None


def _folder(text: str | None) -> Path | None:
    """Return the folder of the reports, which exists then."""
    if text is None:
        return None
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--report-dir: {error}") from None
    return folder


def _conclude(results: Results, report_dir: str | None, client: ClientCommand | None) -> int:
    """Print how each agent did, and return the exit code: 1 if a case failed, or if none or not all were run."""
    for agent in results.agents:
        verdicts = results.of(agent)
        failed = [verdict.case.id for verdict in verdicts if verdict.is_failure]
        which = f": {', '.join(failed)}" if failed else ""
        click.echo(f"{shown(agent)}: {len(verdicts)} cases, {len(failed)} failed{which}")
    if not results.agents:
        click.echo("no case was run")
    if report_dir:
        click.echo(f"reports: {Path(report_dir) / 'index.html'}")
    was_cut_short = client is not None and len(results.of(client.agent)) < len(results.cases)
    if was_cut_short:
        click.echo("not all cases were run")
    return 1 if results.failures or not results.agents or was_cut_short else 0
