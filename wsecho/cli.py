"""The command line: options from flags and environment, one line for every mistake, and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import click
from click.core import ParameterSource

from wsecho import __version__
from wsecho.config import OPTIONS, PUBLIC, Config, Option, OptionError, check

_FLAGS = frozenset(option.flag for option in OPTIONS)


class _Value(click.ParamType[Any]):
    """Lets an option's own parser decide, so that flag, environment and documentation cannot disagree."""

    def __init__(self, option: Option) -> None:
        self.name = option.metavar
        self._option = option

    def split_envvar_value(self, rv: str) -> list[str]:
        """Leave it to the option's parser to take a list apart."""
        return [rv]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, bool):
            return value  # a switch on the command line
        if value in _FLAGS:
            # As where a shell put nothing in the value's place. It would do for a token.
            self.fail(f"it has no value: {value} is an option itself", param, ctx)
        try:
            return self._option.value(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Flag(click.Option):
    """An environment variable that is set but empty stands for the default; where there is none, it is a mistake.

    Else a secret that was not filled in would open a door.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        value = super().resolve_envvar_value(ctx)
        names = [self.envvar] if isinstance(self.envvar, str) else self.envvar or ()
        if value is None and self.default is None and any(os.environ.get(name) == "" for name in names):
            raise click.BadParameter("it is empty, and there is no default", ctx, self)
        return value

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Leave it to the option's parser what a switch may be set to: the library takes any other word for off."""
        return self.resolve_envvar_value(ctx) if self.is_flag else super().value_from_envvar(ctx)


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
    """Return what was asked for: by each option or, where it was not given, by `--public`."""
    values = {name: value for name, value in options.items() if value is not None}
    if values["public"]:
        for option in OPTIONS:
            if option.name in PUBLIC and context.get_parameter_source(option.name) is ParameterSource.DEFAULT:
                values[option.name] = option.value(PUBLIC[option.name])
    return Config(**values)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@_with_options
@click.version_option(__version__, prog_name="wsecho")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Echo WebSocket messages, and measure them."""
    config = configured(context, options)
    try:
        check(config)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # Imported late: --help and a mistyped option need neither OpenTelemetry nor an event loop.
    from wsecho import supervisor, worker

    workers = config.workers or supervisor.cores()
    if workers > 1:
        return supervisor.run(config, workers)
    worker.run(config)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: stopped by a signal. 1: could not start, or a worker did not stop as it was told. 2: an option was wrong.
    3: workers kept dying.
    """
    try:
        code = command.main(arguments, prog_name="wsecho", standalone_mode=False)
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
