"""The dialplan: contexts of extensions, as Python values, and the hunt through them.

``load_dialplan`` of ``dialplan_xml`` makes these values from the XML that operators install.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fsctl.errors import SettingsError
from fsctl.simulator.expand import expand

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel

_CAPTURE = re.compile(r"\$(\d+)")
CAPTURED = "DP_MATCH"


@dataclass(frozen=True, slots=True)
class Action:
    """One ``<action>``: an application and its argument, not expanded yet."""

    application: str
    argument: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``<condition>``; without ``field`` it always holds.

    ``break_on`` is ``on-false`` (the default), ``on-true``, ``always`` or ``never``.
    """

    field: str = ""
    expression: str = ""
    actions: tuple[Action, ...] = ()
    anti_actions: tuple[Action, ...] = ()
    break_on: str = "on-false"

    def match(self, channel: Channel, number: str) -> re.Match[str] | bool | None:
        """True, the match, or what is false when the condition does not hold."""
        if not self.field:
            return True
        if "$" in self.field:
            value = expand(channel, self.field)
        elif self.field == "destination_number":
            value = number
        else:
            value = channel.present_profile.field_named(self.field) or ""
        return re.search(expand(channel, self.expression), value)


@dataclass(frozen=True, slots=True)
class Extension:
    """One ``<extension>``: conditions, tried in order."""

    name: str
    conditions: tuple[Condition, ...]
    continues: bool = False

    def hunt(self, channel: Channel, number: str) -> tuple[bool, list[Action]]:
        """Whether the extension matched to its end, and the actions it gave.

        Inline actions are executed here and now: later conditions see what they did.
        """
        found: list[Action] = []
        proceed = False
        for condition in self.conditions:
            match = condition.match(channel, number)
            proceed = bool(match or condition.anti_actions)
            if isinstance(match, re.Match) and "(" in condition.expression:
                _keep_captures(channel, match)
            steps = [_substitute(action, match) for action in condition.actions] if match else []
            for action in steps or ([] if match else condition.anti_actions):
                if action.inline:
                    channel.switch.execute(channel, action.application, action.argument)
                else:
                    found.append(action)
            if _breaks(condition.break_on, bool(match)):
                break
        return proceed, found


@dataclass(frozen=True, slots=True)
class Dialplan:
    """Contexts by name."""

    contexts: Mapping[str, tuple[Extension, ...]] = field(default_factory=dict)

    def hunt(self, channel: Channel, number: str, context: str) -> list[Action]:
        """The actions for a number in a context; none when nothing matched."""
        actions: list[Action] = []
        for extension in self.contexts.get(context, ()):
            matched, found = extension.hunt(channel, number)
            actions += found
            if matched and not extension.continues:
                break
        return actions

    def merged(self, other: Dialplan) -> Dialplan:
        """Both dialplans; extensions of a shared context stand in this order."""
        contexts = dict(self.contexts)
        for name, extensions in other.contexts.items():
            contexts[name] = contexts.get(name, ()) + extensions
        return Dialplan(contexts)

    def with_text(self, text: str, for_: str) -> Dialplan:
        """The same, with ``text`` wherever ``for_`` stands in a condition or in an argument."""
        return Dialplan(
            {
                name: tuple(_with_text(extension, text, for_) for extension in extensions)
                for name, extensions in self.contexts.items()
            }
        )


def _with_text(extension: Extension, text: str, for_: str) -> Extension:
    """The extension itself where there is nothing to be changed, as in nearly all."""

    def changed(found: tuple[Action, ...]) -> tuple[Action, ...]:
        return tuple(replace(each, argument=each.argument.replace(for_, text)) for each in found)

    if for_ not in repr(extension):
        return extension
    conditions = (
        replace(
            condition,
            field=condition.field.replace(for_, text),
            expression=condition.expression.replace(for_, text),
            actions=changed(condition.actions),
            anti_actions=changed(condition.anti_actions),
        )
        for condition in extension.conditions
    )
    return replace(extension, conditions=tuple(conditions))


def actions(*lines: str) -> tuple[Action, ...]:
    """Actions from ``"application argument"`` texts, to write a context in Python."""
    split = [line.partition(" ") for line in lines]
    return tuple(Action(application, argument) for application, _, argument in split)


def context(*extensions: tuple[str, tuple[Action, ...]]) -> tuple[Extension, ...]:
    """A context from pairs of a regular expression on the number and actions.

    Raises SettingsError when an expression does not compile.
    """
    made = []
    for expression, steps in extensions:
        try:
            re.compile(expression)
        except re.error as error:
            raise SettingsError(f"dialplan expression {expression!r}: {error}") from error
        condition = Condition("destination_number", expression, steps)
        made.append(Extension(expression, (condition,)))
    return tuple(made)


def _keep_captures(channel: Channel, match: re.Match[str]) -> None:
    """What a condition has captured, all of it first (mod_dialplan_xml.c, ``DP_MATCH``).

    An empty one takes away what stands before it (switch_channel.c,
    ``switch_channel_add_variable_var_check``).
    """
    channel.set_variable(CAPTURED, None)
    last = max((n for n, text in enumerate(match.groups(), 1) if text is not None), default=0)
    for number in range(last + 1):
        if text := match.group(number):
            channel.add_to_variable(CAPTURED, text)
        else:
            channel.set_variable(CAPTURED, None)


def _breaks(break_on: str, matched: bool) -> bool:
    if break_on == "on-true":
        return matched
    if break_on == "on-false":
        return not matched
    return break_on == "always"


def _substitute(action: Action, match: re.Match[str] | bool) -> Action:
    if isinstance(match, bool) or "$" not in action.argument:
        return action
    found = match

    def group(reference: re.Match[str]) -> str:
        index = int(reference.group(1))
        return found.group(index) or "" if index <= found.re.groups else ""

    return Action(action.application, _CAPTURE.sub(group, action.argument), action.inline)
