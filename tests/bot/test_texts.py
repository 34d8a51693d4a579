"""What the bot says: every text there is, in every language there is."""

import re
import string
from pathlib import Path

import pytest

import bot
from bot.selftest import _ANSWERING, _ANYWHERE
from bot.texts import ENGLISH, languages, table, texts
from eren_memory.community import Complaint, Digest, GuildSettings, Length, Queue, Tone
from eren_memory.domain import REVISED, NoteStatus
from eren_memory.staleness import Stale

OTHERS = sorted(languages() - {ENGLISH})
# As they are sent: the forms and buttons have limits of their own.
LIMITS = {"button": 80, "form": 45, "complaint": 45, "merge": 45}


def fields(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name}


def named_in_code() -> set[str]:
    """Keys that the code writes out, whichever way it calls for them."""
    code = "\n".join(path.read_text() for path in Path(bot.__file__).parent.rglob("*.py"))
    sections = "|".join(sorted({key.partition(".")[0] for key in table(ENGLISH)}))
    return set(re.findall(rf"""['"]((?:{sections})\.[a-z_]+)['"]""", code)) - {"answer.md"}


def test_every_text_that_the_code_names_is_there():
    assert len(named_in_code()) > 80
    assert named_in_code() <= {*table(ENGLISH)}


def test_every_text_that_the_code_makes_up_from_values_is_there():
    wanted = {f"status.{one}" for one in NoteStatus}
    wanted |= {f"field.{one}" for one in REVISED if one != "superseded_by"}
    wanted |= {f"complaint.{one.name.lower()}" for one in Complaint}
    wanted |= {f"card.{one}" for one in Queue}
    wanted |= {f"{kind}.{one.name.lower()}" for one in Stale for kind in ("stale", "advice")}
    wanted |= {f"setup.digest_{one}" for one in Digest}
    wanted |= {
        f"permission.{one}" for one in (*_ANSWERING, *_ANYWHERE, "manage_messages", "manage_guild")
    }
    wanted |= {f"setup.tone_{one}" for one in Tone} | {f"setup.length_{one}" for one in Length}
    for name in GuildSettings.__dataclass_fields__:
        wanted |= {f"setup.{name}", f"setup.{name}_hint"}
        wanted |= {f"setup.{name}_default"} if name.endswith("_roles") else set()
    wanted |= {
        f"claim.{verdict}.{answer}"
        for verdict in ("supported", "refuted", "silent")
        for answer in ("yes", "no")
    }
    assert wanted <= {*table(ENGLISH)}


@pytest.mark.parametrize("language", sorted(languages()))
def test_texts_keep_to_the_limits_of_discord(language: str):
    for key, text in table(language).items():
        if limit := LIMITS.get(key.partition(".")[0]):
            most = 100 if key.endswith("_hint") or key.startswith("form.where_") else limit
            assert len(text) <= most, key
        if key.startswith("setup.") and key.endswith("_hint"):
            assert len(text) <= 100, key


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_what_the_english_does(language: str):
    assert OTHERS
    english = table(ENGLISH)
    for key, text in table(language).items():
        if key.startswith("command."):
            continue
        assert key in english, f"{language}: {key} means nothing"
        assert fields(text) == fields(english[key]), f"{language}: {key}"


def test_what_a_language_lacks_is_said_in_english():
    assert texts("ja")("button.undo") == "Undo"
    assert texts("en-US")("button.undo") == "Undo"
    assert texts("de")("button.undo") != "Undo"
    assert texts("de-AT")("button.undo") == texts("de")("button.undo")


def test_one_is_counted_as_one():
    assert texts(None)("mark.done", count=1) == "Marked 1 answer."
    assert texts(None)("mark.done", count=3) == "Marked 3 answers."


def test_untrusted_text_is_never_a_pattern():
    assert "{number}" in texts(None)("done.add", number=1, title="{number} {0.__class__}")
