"""Says in words, and as JSON, what each connection of a plan gets."""

from collections.abc import Iterator
from typing import Any

from wsecho.scenarios.catalogue import GROUPS, STRUCTURE, VOCABULARY, WORDS
from wsecho.scenarios.language import budget
from wsecho.scenarios.language.arguments import FOREVER, written_duration, written_size
from wsecho.scenarios.language.grammar import canonical, printable
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.plan import Phase, Plan, Step
from wsecho.scenarios.language.word import Argument, Word

_ECHO = "Echoes for as long as the client likes."


def in_words(plan: Plan, limits: Limits, counted: int) -> str:
    """Return the text for a person. `counted` is the number of connections counted so far under the plan's key."""
    lines = [f"{canonical(plan, VOCABULARY)} is a scenario: connect with ws:// or wss://.", ""]
    for first, phase in _numbered(plan):
        lines += [
            f"{_connections(first, phase)}:",
            *_steps(plan, phase, limits),
            f"  Costs at most {_cost(plan, phase, limits)}.",
            "",
        ]
    if plan.given:
        lines += [
            "Options:",
            *(line for name, value in plan.given.items() for line in _option(VOCABULARY.options[name], value)),
            "",
        ]
    key = plan.given.get("key")
    lines.append(f"Connections counted under {'this key' if key else 'this URL and your address'} so far: {counted}.")
    if key:
        lines.append(f"GET /seen?key={key} shows what the server saw of them.")
    return "\n".join(lines) + "\n"


def as_json(plan: Plan, limits: Limits, counted: int) -> dict[str, Any]:
    """Return what `in_words` says, for programs."""
    return {
        "scenario": canonical(plan, VOCABULARY),
        "phases": [
            {
                "connections": {"from": first, "to": None if phase.times is None else first + phase.times - 1},
                "steps": [_step(step) for step in phase.steps],
                "cost": _cost_as_json(plan, phase, limits),
            }
            for first, phase in _numbered(plan)
        ],
        "options": {name: _value(VOCABULARY.options[name], value) for name, value in plan.given.items()},
        "counted": counted,
    }


def all_words() -> str:
    """Return the text of GET /ws/: how a URL is made, and which words there are."""
    lines = ["/ws/step/argument/.../step/argument/... is a scenario: connect with ws:// or wss://.", ""]
    for letter, (name, _) in GROUPS.items():
        words = [word for word in WORDS if word.group == letter]
        if words:
            lines += [f"{name}:", *(f"  {_usage(word)}  {word.server}" for word in words), ""]
    lines += ["Several connections:", *(f"  {usage}  {meaning}" for usage, meaning in STRUCTURE.items()), ""]
    lines += ["Options:", *(f"  {option.name}  {option.meaning}" for option in VOCABULARY.options.values())]
    return "\n".join(
        [*lines, "", "GET any of these URLs without an upgrade to read what it does; /scenarios.json has all.", ""]
    )


def _usage(word: Word) -> str:
    arguments = (f"[{argument.name}]" if argument.optional else f"{{{argument.name}}}" for argument in word.arguments)
    return "/".join((word.name, *arguments))


def _numbered(plan: Plan) -> Iterator[tuple[int, Phase]]:
    """Yield each phase with the number of the first connection that gets it."""
    first = 1
    for phase in plan.phases:
        yield first, phase
        first += phase.times or 0


def _connections(first: int, phase: Phase) -> str:
    if phase.times is None:
        return "Every connection" if first == 1 else f"Connection {first} and all later ones"
    return f"Connection {first}" if phase.times == 1 else f"Connections {first} to {first + phase.times - 1}"


def _steps(plan: Plan, phase: Phase, limits: Limits) -> Iterator[str]:
    for number, step in enumerate(phase.steps, start=1):
        yield f"  {number}. {_server(step)}"
        yield f"     A correct client: {step.word.client} ({step.word.rfc})"
    last = phase.steps[-1] if phase.steps else None
    if not (last and (last.word.ends or budget.is_endless(last, plan.options, limits))):
        yield f"  {len(phase.steps) + 1}. {_ECHO}"


def _option(option: Argument, value: Any) -> tuple[str, str]:
    return f"  {option.name} = {printable(_value(option, value))}", f"     {option.meaning}"


def _server(step: Step) -> str:
    """Return what the server does in a step, with the values of its arguments."""
    values = {
        argument.name: printable(_value(argument, value))
        for argument, value in zip(step.word.arguments, step.values, strict=True)
    }
    text = step.word.server
    for argument, value in zip(step.word.arguments, step.values, strict=True):
        if value == FOREVER:
            text = text.replace(f"for {{{argument.name}}}", f"{{{argument.name}}}")
    return text.format_map(values)


def _value(argument: Argument, value: Any) -> str:
    return argument.meaning.partition(" if left out")[0] if value is None else argument.kind.write(value) or "on"


def _step(step: Step) -> dict[str, Any]:
    return {
        "step": step.word.name,
        "number": step.word.number,
        "arguments": {
            argument.name: None if value is None else argument.kind.write(value)
            for argument, value in zip(step.word.arguments, step.values, strict=True)
        },
        "server": _server(step),
        "client": step.word.client,
        "rfc": step.word.rfc,
    }


def _cost(plan: Plan, phase: Phase, limits: Limits) -> str:
    cost = budget.cost(phase, plan.options, limits)
    return (
        f"{written_duration(cost.seconds)} of {written_duration(limits.seconds)}, "
        f"{written_size(cost.bytes)} of {written_size(limits.bytes_out)} "
        f"and {cost.frames} of {limits.frames_out} frames"
    )


def _cost_as_json(plan: Plan, phase: Phase, limits: Limits) -> dict[str, float]:
    cost = budget.cost(phase, plan.options, limits)
    return {"seconds": cost.seconds, "bytes": cost.bytes, "frames": cost.frames}
