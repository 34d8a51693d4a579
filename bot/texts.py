"""What the bot says, in each language: `locales/<language>.toml`, one file a language.

English is complete; what another file lacks is said in English. Values are filled in by
`str.format`, so untrusted text goes in as a value and never as a pattern.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import discord
from discord import app_commands

ENGLISH = "en"


class Texts:
    """The texts of one language."""

    def __init__(self, patterns: dict[str, str]) -> None:
        self._patterns = patterns

    def __contains__(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self._patterns

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key with its values; `count` 1 takes the form `<key>.one` where there is one."""
        if values.get("count") == 1 and f"{key}.one" in self._patterns:
            key = f"{key}.one"
        return self._patterns[key].format(**values)


def texts(locale: discord.Locale | str | None) -> Texts:
    """The texts for a locale such as `de` or `pt-BR`; English where there is no file for it."""
    language = str(locale or ENGLISH)
    for name in (language, language.partition("-")[0]):
        if name in languages():
            return _texts(name)
    return _texts(ENGLISH)


def mine(interaction: discord.Interaction) -> Texts:
    """In the language of the person who acts; for what only they see."""
    return texts(interaction.locale)


def everyones(guild: discord.Guild | None) -> Texts:
    """In the language of the server; for what everybody sees."""
    return texts(guild.preferred_locale if guild else None)


@cache
def languages() -> frozenset[str]:
    """The languages that there are files for."""
    folder = files("bot") / "locales"
    return frozenset(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )


@cache
def table(language: str) -> dict[str, str]:
    """A language's own file, its sections flattened into dotted keys."""
    text = (files("bot") / "locales" / f"{language}.toml").read_text(encoding="utf-8")
    return _flat(tomllib.loads(text), "")


class CommandTexts(app_commands.Translator):
    """Names and descriptions of commands: the section `command` of a language's file.

    Keys are the qualified name (`note add`), with `: option` for an option of it, and end in `.name`
    or `.description`. English stands in the code, where discord.py takes it from.
    """

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """See `Translator.translate`."""
        language = next(
            (one for one in (locale.value, locale.value.partition("-")[0]) if one in languages()),
            ENGLISH,
        )
        return None if language == ENGLISH else table(language).get(command_key(context))


def command_key(context: app_commands.TranslationContextTypes) -> str:
    """The key under which a file has a command's name, description, option or choice."""
    where = app_commands.TranslationContextLocation
    data: Any = context.data
    kind = "description" if "description" in context.location.name else "name"
    if context.location is where.choice_name:
        return f"command.choice.{data.name}"
    if context.location in (where.parameter_name, where.parameter_description):
        return f"command.{data.command.qualified_name}: {data.name}.{kind}"
    return f"command.{data.qualified_name}.{kind}"


@cache
def _texts(language: str) -> Texts:
    return Texts(table(ENGLISH) | table(language))


def _flat(section: dict[str, Any], prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
