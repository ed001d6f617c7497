"""The command line: reads options from flags and environment variables, and reports each error in one line."""

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
# Parsers of values that are file names. Python has decoded these with the encoding of the file system; they stay so.
_FILE_NAME_PARSERS = (parse_file, parse_key_set_source)
_NAMES = (*(option.flag.removeprefix("--") for option in OPTIONS), "help", "version")
_BY_DEFAULT = "by default"
_CONFORMANCE = "conformance"


class _Value(click.ParamType[Any]):
    """A click type that uses the option's own parser, so that flag, environment and documentation cannot disagree."""

    def __init__(self, option: Option) -> None:
        self.name = option.metavar
        self.option = option

    def split_envvar_value(self, rv: str) -> list[str]:
        """Return the variable unsplit: the option's parser splits lists."""
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, bool):
            return value  # a switch on the command line
        option = self.option
        try:
            if value in _FLAGS:
                # The value is missing, for example because a shell variable was empty, so the next flag stands in its
                # place. Without this check it could be accepted as a token.
                raise ValueError(f"its value is missing: it is followed by the option {value}")
            return option.value(value if option.parse in _FILE_NAME_PARSERS else _utf8(value))
        except ValueError as error:
            raise OptionError(f"{_named(option, ctx)}: {error}") from None


def _utf8(text: str) -> str:
    """Return the text decoded as UTF-8 instead of the encoding of the locale, if it is valid UTF-8."""
    try:
        return os.fsencode(text).decode()
    except UnicodeDecodeError:
        return text


class _Flag(click.Option):
    """A click option whose environment variable, if it is set but empty, stands for the default.

    If the option has no default, an empty variable is an error. Otherwise a secret that was left empty would leave the
    server without authentication.
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
        """Return a switch's variable unconverted, for the option's parser: click takes any unknown word for off."""
        return self.resolve_envvar_value(ctx) if self.is_flag else super().value_from_envvar(ctx)


def _named(option: Option, context: click.Context | None) -> str:
    source = _source(option, context) if context else ""
    return f"{option.flag} ({source})" if source else option.flag


def _source(option: Option, context: click.Context) -> str:
    """Return in words where the option's value comes from; empty for the command line, and if there is no value."""
    source = context.get_parameter_source(option.name)
    if source is ParameterSource.DEFAULT:
        return _BY_DEFAULT if option.default else ""
    variable = variable_of(option, os.environ) if source is ParameterSource.ENVIRONMENT else None
    if variable in option.aliases:
        # Other programs set these variables too: conda and tcsh set HOST to the name of the machine.
        return f"from the variable {variable}, which {option.environment[0]} overrides"
    return f"from the variable {variable}" if variable else ""


class _Command(click.Command):
    """A click command whose help shows the options in groups, in the order of docs/options.md."""

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

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Imported only here: no other command line needs the catalogue.
        from wsecho.scenarios.catalogue import WORDS

        # The words of a family are named once.
        steps = dict.fromkeys(f"{word.label}/..." if "/" in word.name else word.name for word in WORDS)
        formatter.write_paragraph()
        formatter.write_text(
            "URLs under /ws/ say what the server does, such as ws://HOST:PORT/ws/close/1001. GET one of them without "
            f"an upgrade to read it in words. Their steps: {', '.join(steps)}."
        )
        formatter.write_paragraph()
        formatter.write_text(f"'wsecho {_CONFORMANCE}' judges clients by them: see 'wsecho {_CONFORMANCE} --help'.")


def _joined(ctx: click.Context, param: click.Parameter, value: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
    """Join the lists of all uses of an option into one."""
    return tuple(chain.from_iterable(value))


def _with_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(OPTIONS):
        command = click.option(
            option.flag,
            cls=_Flag,
            type=_Value(option),
            envvar=option.environment,
            default=([option.default] if option.repeats else option.default) if option.default else None,
            # Only switches get a flag value: with any, even None, click would accept the option without its value.
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
    """Return the configuration. If `--public` is given, options that are not given take their values from it.

    Raises OptionError if options contradict each other.
    """
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
        raise OptionError(_unexpected_argument(context.args[0]))
    config = configured(context, options)
    workers = config.workers or _cores()
    try:
        # Imported here, so that --help and a wrong option are answered without importing an event loop.
        if workers > 1:
            from wsecho.processes import supervisor

            return supervisor.run(config, workers)
        from wsecho.processes import worker

        worker.run(config)
    except (OptionError, OSError, RuntimeError) as error:
        # Some values turn out to be wrong only when they are used.
        error_type = OptionError if isinstance(error, OptionError) else RuntimeError
        raise error_type(config.with_sources(str(error))) from error
    return 0


def _cores() -> int:
    """Return how many processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unexpected_argument(argument: str) -> str:
    """Return the error line for an argument that belongs to no option."""
    name, equals, value = argument.partition("=")
    suggestion = nearest(name, _NAMES)
    if argument.isascii() and argument.isdigit():
        suggestion, equals, value = "port", "=", argument
    return _with_suggestion(f"unexpected argument {argument!r}", f"{suggestion}{equals}{value}" if suggestion else None)


def _unknown_option(option: str, arguments: Sequence[str]) -> str:
    """Return the error line for an option that does not exist."""
    # For `-port 1` as well as `-p1`, click names only the first letter.
    given = next((argument for argument in arguments if argument.startswith(option)), option).partition("=")[0]
    name = given.strip("-")
    of_letter = (suggestion for suggestion in _NAMES if suggestion.startswith(name.lower()))
    suggestion = next(of_letter, None) if len(name) == 1 else nearest(name, _NAMES)
    return _with_suggestion(f"unknown option {given}", suggestion)


def _misused_option(option: str) -> str:
    """Return the error line for an option that lacks its value, or that has a value and takes none."""
    metavar = next((each.metavar for each in OPTIONS if each.flag == option), "")
    return f"{option} needs a value: {option} {metavar}" if metavar else f"{option} takes no value"


def _with_suggestion(line: str, suggestion: str | None) -> str:
    return line + (f": did you mean --{suggestion}?" if suggestion else ".") + " wsecho --help lists all options"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. `wsecho conformance` is a command of its own.

    0: a signal stopped the server. 1: the server could not start, or a worker died or was killed during the shutdown.
    2: an option was wrong. 3: workers kept dying.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == [_CONFORMANCE]:
        # Imported here: a server does not need it.
        from wsecho.conformance.command import main as conformance

        return conformance(arguments[1:])
    try:
        code = command.main(arguments, prog_name="wsecho", standalone_mode=False)
    except click.NoSuchOption as error:
        print(f"wsecho: {_unknown_option(error.option_name, arguments)}", file=sys.stderr)
        return 2
    except click.BadOptionUsage as error:
        print(f"wsecho: {_misused_option(error.option_name)}", file=sys.stderr)
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
