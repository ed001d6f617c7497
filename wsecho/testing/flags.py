"""Options of a server, as tests write them, and as its command line has them."""


def flags(*options: str, **settings: object) -> tuple[str, ...]:
    """Return the arguments for options that are given as flags, as keywords, or both.

    `max_message_size="1KiB"` stands for `--max-message-size=1KiB`, and `no_scenarios=True` for the switch
    `--no-scenarios`. An option that is False or None is left out, and a list or tuple gives the option several times.
    """
    arguments = list(options)
    for name, value in settings.items():
        flag = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list | tuple) else (value,):
            if each is True:
                arguments.append(flag)
            elif each is not False and each is not None:
                arguments.append(f"{flag}={each}")
    return tuple(arguments)
