"""What a plan costs, and whether it is within the limits. It is summed before anything starts."""

import math

from wsecho.scenarios.language.arguments import written_duration, written_size
from wsecho.scenarios.language.limits import Limits
from wsecho.scenarios.language.plan import Phase, Plan, Step
from wsecho.scenarios.language.word import Cost, Options

# Bytes that fit in one write.
LONGEST_WRITE = 16 << 20
# Seconds between two chunks. With less, a client reads several at once.
CHUNK_INTERVAL = 0.001
_LONGEST_HEADER = 10


class ScenarioError(Exception):
    """The URL is not a scenario that the server performs. The text is one line for the user."""


def cost(phase: Phase, options: Options, limits: Limits) -> Cost:
    """Return what the steps of a phase cost at most. A step without an end counts as nothing: its client ends it."""
    total = Cost()
    for step in phase.steps:
        each = step.word.cost(step.values, options, limits)
        total += Cost(0.0 if math.isinf(each.seconds) else each.seconds, each.bytes, each.frames)
    return total + _cost_of_shaping(total, options)


def is_endless(step: Step, options: Options, limits: Limits) -> bool:
    """Return whether a step goes on until the client leaves, or the time that a connection may take is over."""
    return math.isinf(step.word.cost(step.values, options, limits).seconds)


def memory(plan: Plan, limits: Limits) -> int:
    """Return the bytes that a connection may keep for one write, while its client does not read. Short ones count 0."""
    collecting = [phase for phase in plan.phases if any(step.word.collects for step in phase.steps)]
    sizes = (cost(phase, plan.options, limits).bytes for phase in collecting)
    return min(max(sizes, default=0), LONGEST_WRITE)


def _cost_of_shaping(total: Cost, options: Options) -> Cost:
    """Return what the options add to the cost of all steps."""
    fragments = total.bytes // options["fragment"] if options["fragment"] else 0
    size = fragments * _LONGEST_HEADER
    seconds = transfer_time(total.bytes + size, options) + options["latency"] + options["jitter"]
    return Cost(seconds, size, fragments)


def transfer_time(size: int, options: Options) -> float:
    """Return the seconds that the options let the sending of `size` bytes take."""
    by_rate = size / options["rate"] if options["rate"] else 0.0
    chunks = math.ceil(size / options["chunk"]) if options["chunk"] else 0
    return float(max(by_rate, chunks * CHUNK_INTERVAL))


def check(plan: Plan, limits: Limits) -> None:
    """Raise ScenarioError if a step cannot be performed, or a connection could cost more than the limits allow."""
    if plan.needs_deflate and not plan.may_deflate:
        raise ScenarioError("a part of the scenario needs permessage-deflate, and another one excludes it")
    for phase in plan.phases:
        for step in phase.steps:
            if fault := step.word.fault(step.values, plan.options, limits):
                raise ScenarioError(fault)
        for step in phase.steps[:-1]:
            if is_endless(step, plan.options, limits):
                raise ScenarioError(f"'{step.word.name}' goes on forever here, so only 'next' can follow it")
        total = cost(phase, plan.options, limits)
        if total.seconds > limits.seconds:
            raise ScenarioError(
                f"the scenario takes {written_duration(total.seconds)}: "
                f"at most {written_duration(limits.seconds)} are allowed for a connection"
            )
        if total.bytes > limits.bytes_out:
            raise ScenarioError(
                f"the scenario sends {written_size(total.bytes)}: "
                f"at most {written_size(limits.bytes_out)} are allowed for a connection"
            )
        if total.frames > limits.frames_out:
            raise ScenarioError(
                f"the scenario sends {total.frames} frames: at most {limits.frames_out} are allowed for a connection"
            )
