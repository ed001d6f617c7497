"""The command line: options from flags and environment, one line for every mistake, and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import click
from click.core import ParameterSource

from wsecho import __version__
from wsecho.options.checks import check
from wsecho.options.config import GROUPS, OPTIONS, PUBLIC, Config
from wsecho.options.environment import nearest, variable_of
from wsecho.options.option import Option, OptionError
from wsecho.options.values import parse_file, parse_key_set_source

_FLAGS = tuple(option.flag for option in OPTIONS)
# Names of files stay as the system gave them, in whatever encoding it has.
_NAMES_OF_FILES = (parse_file, parse_key_set_source)
_NAMES = (*(option.flag.removeprefix("--") for option in OPTIONS), "help", "version")
_BY_DEFAULT = "by default"


class _Value(click.ParamType[Any]):
    """Lets an option's own parser decide, so that flag, environment and documentation cannot disagree."""

    def __init__(self, option: Option) -> None:
        self.name = option.metavar
        self.option = option

    def split_envvar_value(self, rv: str) -> list[str]:
        """Leave it to the option's parser to take a list apart."""
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, bool):
            return value  # a switch on the command line
        option = self.option
        try:
            if value in _FLAGS:
                # A shell put nothing in the value's place, so the next flag follows. It would pass for a token.
                raise ValueError(f"it has no value: {value} is an option itself")
            return option.value(value if option.parse in _NAMES_OF_FILES else _utf8(value))
        except ValueError as error:
            raise OptionError(f"{_named(option, ctx)}: {error}") from None


def _utf8(text: str) -> str:
    """Return text that the system decoded by the locale, decoded as UTF-8 instead where that can be."""
    try:
        return os.fsencode(text).decode()
    except UnicodeDecodeError:
        return text


class _Flag(click.Option):
    """An environment variable that is set but empty stands for the default; where there is none, it is a mistake.

    Else a secret that was not filled in would open a door.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        assert isinstance(self.type, _Value)
        option = self.type.option
        if variable := variable_of(option, os.environ):
            return os.environ[variable]
        for name in option.environment:
            if self.default is None and os.environ.get(name) == "":
                raise OptionError(f"{option.flag} (from the variable {name}): it is empty, and there is no default")
        return None

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Leave it to the option's parser what a switch may be set to: the library takes any other word for off."""
        return self.resolve_envvar_value(ctx) if self.is_flag else super().value_from_envvar(ctx)


def _named(option: Option, context: click.Context | None) -> str:
    source = _source(option, context) if context else ""
    return f"{option.flag} ({source})" if source else option.flag


def _source(option: Option, context: click.Context) -> str:
    """Return in words where the option's value comes from, nothing for the command line and where there is no value."""
    source = context.get_parameter_source(option.name)
    if source is ParameterSource.DEFAULT:
        return _BY_DEFAULT if option.default else ""
    variable = variable_of(option, os.environ) if source is ParameterSource.ENVIRONMENT else None
    if variable in option.aliases:
        # Others set them, too: conda and tcsh make HOST the name of the machine.
        return f"from the variable {variable}, which {option.environment[0]} overrides"
    return f"from the variable {variable}" if variable else ""


class _Command(click.Command):
    """Shows its options in groups, in the README's order."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        heading = ""
        records: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            heading = GROUPS.get(parameter.name or "", heading)
            record = parameter.get_help_record(ctx)
            if record:
                records.setdefault("Help" if parameter.is_eager else heading, []).append(record)
        for heading, rows in records.items():
            with formatter.section(heading):
                formatter.write_dl(rows)


def _joined(ctx: click.Context, param: click.Parameter, value: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """Make one list of those that an option has got each time it was given."""
    return tuple(chain.from_iterable(value))


def _with_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(OPTIONS):
        command = click.option(
            option.flag,
            cls=_Flag,
            type=_Value(option),
            envvar=option.environment,
            default=([option.default] if option.repeats else option.default) if option.default else None,
            # With a flag value of any kind, None included, an option could be given without its value.
            **({"is_flag": True, "flag_value": "on"} if option.is_switch else {}),
            multiple=option.repeats,
            callback=_joined if option.repeats else None,
            metavar=option.metavar or None,
            help=option.meaning,
            show_default=bool(option.default),
            show_envvar=True,
        )(command)
    return command


def configured(context: click.Context, options: dict[str, Any]) -> Config:
    """Return what was asked for: by each option or, where it was not given, by `--public`. Raises OptionError."""
    values = {name: value for name, value in options.items() if value is not None}
    sources = {option.name: _source(option, context) for option in OPTIONS}
    if values["public"]:
        for option in OPTIONS:
            if option.name in PUBLIC and sources[option.name] == _BY_DEFAULT:
                values[option.name] = option.value(PUBLIC[option.name])
                sources[option.name] = "by --public"
    config = Config(**values, sources=sources)
    check(config)
    return config


@click.command(
    cls=_Command,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120, "allow_extra_args": True},
)
@_with_options
@click.version_option(__version__, prog_name="wsecho")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Echo WebSocket messages, and measure them."""
    if context.args:
        raise OptionError(_stray(context.args[0]))
    config = configured(context, options)
    # Imported late: --help and a mistyped option need neither OpenTelemetry nor an event loop.
    from wsecho.processes import supervisor, worker

    workers = config.workers or supervisor.cores()
    try:
        if workers > 1:
            return supervisor.run(config, workers)
        worker.run(config)
    except (OptionError, OSError, RuntimeError) as error:
        # Some values turn out to be wrong only when they are used.
        told = OptionError if isinstance(error, OptionError) else RuntimeError
        raise told(config.with_sources(str(error))) from error
    return 0


def _stray(argument: str) -> str:
    """Return what to say of an argument that belongs to no option."""
    name, equals, value = argument.partition("=")
    meant = nearest(name, _NAMES)
    if argument.isascii() and argument.isdigit():
        meant, equals, value = "port", "=", argument
    return _lost(f"there is no argument {argument!r}", f"{meant}{equals}{value}" if meant else None)


def _unknown(option: str, arguments: Sequence[str]) -> str:
    """Return what to say of an option that there is not."""
    # Of `-port 1` and `-p1` alike, the library names the first letter.
    given = next((argument for argument in arguments if argument.startswith(option)), option).partition("=")[0]
    name = given.strip("-")
    of_letter = (meant for meant in _NAMES if meant.startswith(name.lower()))
    return _lost(f"there is no option {given}", next(of_letter, None) if len(name) == 1 else nearest(name, _NAMES))


def _misused(option: str) -> str:
    """Return what to say of an option that has no value and needs one, or has one and takes none."""
    metavar = next((each.metavar for each in OPTIONS if each.flag == option), "")
    return f"{option} needs a value: {option} {metavar}" if metavar else f"{option} takes no value"


def _lost(line: str, meant: str | None) -> str:
    return line + (f": did you mean --{meant}?" if meant else ".") + " wsecho --help lists all options"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: stopped by a signal. 1: could not start, or a worker did not stop as it was told. 2: an option was wrong.
    3: workers kept dying.
    """
    try:
        code = command.main(arguments, prog_name="wsecho", standalone_mode=False)
    except click.NoSuchOption as error:
        print(
            f"wsecho: {_unknown(error.option_name, sys.argv[1:] if arguments is None else arguments)}", file=sys.stderr
        )
        return 2
    except click.BadOptionUsage as error:
        print(f"wsecho: {_misused(error.option_name)}", file=sys.stderr)
        return 2
    except click.ClickException as error:
        print(f"wsecho: {error.format_message()}", file=sys.stderr)
        return error.exit_code
    except OptionError as error:
        print(f"wsecho: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, click.Abort):
        return 0
    except (OSError, RuntimeError) as error:
        print(f"wsecho: {error}", file=sys.stderr)
        return 1
    return int(code or 0)
