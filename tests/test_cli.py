"""The command line as a script would use it: arguments in, JSON and exit status out."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import Place
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


async def test_a_question_an_answer_a_correction_and_the_corrected_answer(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.when("Note: The ferry leaves at noon.", Reply("yes: at noon", probability=0.999))
    before = (await eren.in_a_process("ask", "When does the ferry leave?", "--json")).data
    assert (before["answer"], before["origin"], before["notes"]) == ("unedited answer", "model", [])
    added = (await eren.in_a_process("note", "add", "The ferry leaves at noon.", "--json")).data
    assert added.keys() == {"number", "id", "revision", "conflicts", "by_model"}
    assert (added["number"], added["revision"], added["conflicts"]) == (1, 1, [])
    assert added["by_model"] is True
    after = (
        await eren.in_a_process("ask", "When does the ferry leave at all?", "--json", "--trace")
    ).data
    assert (after["answer"], after["origin"]) == ("at noon", "notebook")
    [note] = after["notes"]
    assert note.keys() == {"number", "id", "revision", "text", "score"}
    assert (note["number"], note["id"]) == (1, added["id"])
    assert after.keys() == {
        "answer", "origin", "notes", "p", "calls", "tokens", "ms", "trace",
    }  # fmt: skip
    assert after["tokens"] == {"prompt": 7, "completion": 3}
    other = (await eren.in_a_process("ask", "Who painted it?", "--json")).data
    assert (other["answer"], other["origin"]) == ("unedited answer", "model")


async def test_a_claim_is_checked_with_verdict_and_answer(eren: CommandLine, endpoint: Endpoint):
    endpoint.when("Note: The ferry leaves at noon.", Reply("false", probability=0.999))
    await eren("note", "add", "The ferry leaves at noon.")
    checked = (await eren("check", "The ferry leaves at noon sharp.", "--json")).data
    assert (checked["verdict"], checked["answer"], checked["origin"]) == (
        "refuted",
        "no",
        "notebook",
    )


async def test_notes_are_listed_shown_searched_and_retired(eren: CommandLine):
    await eren("note", "add", "The ferry leaves at noon.", "--reason", "timetable", "--source", "u")
    await eren("note", "add", "The bridge is closed.")
    listed = (await eren("note", "list", "--json")).data
    assert [note["number"] for note in listed] == [1, 2]
    shown = (await eren("note", "show", "1", "--json")).data
    assert (shown["text"], shown["reason"], shown["source_url"], shown["status"]) == (
        "The ferry leaves at noon.", "timetable", "u", "active",
    )  # fmt: skip
    assert shown["author_id"].startswith("local:")
    found = (await eren("note", "search", "ferry noon", "--json")).data
    assert found[0]["number"] == 1
    assert (await eren("note", "retire", "1", "--json")).data["status"] == "retired"
    assert [
        n["number"] for n in (await eren("note", "list", "--status", "active", "--json")).data
    ] == [2]


async def test_guilds_are_apart(eren: CommandLine):
    await eren("note", "add", "Secret.", "--guild", "theirs")
    assert (await eren("note", "list", "--json")).data == []
    assert (await eren("note", "show", "1")).status == 1


async def test_status_names_the_parts_and_hides_the_key(eren: CommandLine):
    ran = await eren("status", "--json")
    assert ran.data["model"] == "scripted"
    assert ran.data["calibration"] == "uncalibrated"
    assert "sk-secret" not in ran.out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["ask", " "], 1, "question is empty"),
        (["ask", "x" * 1001], 1, "limit is 1,000"),
        (["ask", "q", "--method", "magic"], 1, "no method magic"),
        (["note", "add", ""], 1, "note is empty"),
        (["note", "add", "x" * 2001], 1, "limit is 2,000"),
        (["note", "show", "7"], 1, "no note #7"),
        (["note", "retire", "7"], 1, "no note #7"),
        (["note", "show", "9" * 20], 2, "is not in the range"),
        (["note", "add", "x", "--reason", "r" * 2001], 1, "reason has 2,001"),
        (["note", "list", "--guild", "g" * 65], 2, "64 printable"),
        (["import", "missing.jsonl"], 1, "cannot be read"),
        (["note", "show", "seven"], 2, "not a valid integer"),
        (["note", "list", "--status", "odd"], 2, "is not one of"),
        (["frobnicate"], 2, "No such command"),
        (["ask"], 2, "Missing argument"),
        (["eval", "--data", "missing.json"], 1, "cannot be read"),
        (["eval", "--data", "x", "--methods", "magic"], 2, "magic is not one of"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
async def test_a_refusal_is_one_line_and_a_status(eren: CommandLine, words, status, said):
    ran = await eren(*words)
    assert ran.status == status
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""
    if status == 1:
        assert len(ran.err.strip().splitlines()) == 1


async def test_a_home_that_cannot_be_written_is_named(eren: CommandLine, tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    ran = await eren.in_a_process("note", "list", EREN_HOME=str(blocked / "home"))
    assert ran.status == 1
    assert "Set EREN_HOME" in ran.err


async def test_an_endpoint_that_is_down_is_named(eren: CommandLine):
    ran = await eren.in_a_process("ask", "Who?", OPENAI_BASE_URL="http://127.0.0.1:1/v1")
    assert ran.status == 1
    assert "cannot be reached" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


async def test_an_endpoint_that_stops_in_mid_question_is_named(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.default = Reply(body='{"choices": [', status=200)
    ran = await eren("ask", "Who?")
    assert ran.status == 1
    assert "not a chat completion" in ran.err


async def test_a_wrong_setting_is_named(eren: CommandLine):
    ran = await eren("status", EREN_MODEL_TIMEOUT="soon")
    assert ran.status == 1
    assert "EREN_MODEL_TIMEOUT" in ran.err


async def test_beside_a_running_bot_notes_can_be_written_and_questions_are_refused(
    eren: CommandLine, settings: Settings
):
    async with open_app(settings) as bot:
        await bot.notebook.projector.open()
        added = await eren.in_a_process("note", "add", "The ferry leaves at noon.")
        assert added.status == 0
        asked = await eren.in_a_process("ask", "When does the ferry leave?")
        assert asked.status == 1
        assert "Another process" in asked.err
        found = await bot.notebook.search(Place("local"), "When does the ferry leave?", 5)
        assert [one.note.number for one in found] == [1]


async def test_importing_beside_a_running_bot_leaves_the_indexing_to_it(
    eren: CommandLine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eren_memory.projections._LOOK_SECONDS", 3600)  # Not before it is told to.
    file = tmp_path / "notes.jsonl"
    file.write_text('{"text": "One."}\n{"text": "Two."}\n')
    async with open_app(settings) as bot:
        await bot.notebook.projector.open()
        assert (await eren.in_a_process("import", str(file), "--json")).data == {
            "added": 2, "changed": 0, "known": 0, "erased": 0, "waiting": 2,
        }  # fmt: skip
        await bot.notebook.projector.project()
        assert await bot.notebook.ledger.outbox.count() == 0


async def test_the_console_asks_adds_checks_and_explains(eren: CommandLine, endpoint: Endpoint):
    endpoint.when("Note: The ferry leaves at noon.\nQ", Reply("yes: at noon", probability=0.999))
    lines = [
        "When does the ferry leave?", "/why", "/note add The ferry leaves at noon.",
        "When does the ferry leave?", "/why", "/note list", "/note show x",
        "/note show 99999999999999999999", "/note retire 1",
        "/oops", "/help", "/quit", "never reached",
    ]  # fmt: skip
    ran = await eren.in_a_process("console", stdin="\n".join(lines))
    assert ran.status == 0
    for said in (
        "no note applies", "gate closed", "Added note #1", "at noon\n  — From note #1",
        "Give the note's number", "Note #1 is retired now, revision 2.",
        "There is no command /oops",
    ):  # fmt: skip
        assert said in ran.out
    assert "never reached" not in ran.out


async def test_the_demo_without_a_terminal_plays_the_tour_twice_the_same(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.when("Note: The capital of Australia", Reply("yes: Melbourne", probability=0.999))
    for _ in range(2):
        ran = await eren.in_a_process("demo")
        assert ran.status == 0
        assert "scripted at http://127.0.0.1" in ran.out
        assert "Added note" in ran.out
        assert "Melbourne\n  — From note" in ran.out


async def test_text_that_a_terminal_would_obey_is_shown_instead(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.default = Reply("safe \x1b[2J\u202eevil")
    assert (await eren("ask", "Who?")).out.startswith("safe \\u001b[2J\\u202eevil")


ENGINES = {
    "alembic", "apscheduler", "discord", "numpy", "openai", "qdrant_client", "qdrant_edge", "rich",
    "sentence_transformers", "sklearn", "torch",
}  # fmt: skip
ASSISTANT = {
    "eren_memory.app", "eren_memory.engine", "eren_memory.ledger.archive", "eren_memory.cli.acts",
    "sqlalchemy.dialects.postgresql",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["note", "list"], ENGINES | ASSISTANT),
        (["note", "list", "--json"], ENGINES | ASSISTANT),
        (["status"], ENGINES),
    ],
    ids=["note list", "note list --json", "status"],
)
async def test_what_only_reads_the_ledger_loads_no_engine(
    settings: Settings, words: list[str], unwanted: set[str]
):
    code = (
        f"import sys; sys.argv = ['eren', *{words}]\n"
        "from eren_memory.cli import main\nmain()\n"
        f"heavy = {unwanted} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    environment = {**os.environ, "EREN_HOME": str(settings.home)}
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eren_memory.cli", "note", "list", env=environment
    )  # Migrates, which needs more.
    assert await first.wait() == 0
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        code,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, err = await child.communicate()
    assert (child.returncode, err.decode()) == (0, "")


async def test_status_says_what_is_used_of_the_days_budget(eren: CommandLine):
    limited = {"EREN_BUDGET_GUILD_TOKENS": "40", "EREN_BUDGET_MEMBER_QUESTIONS": "5"}
    assert (await eren("status", "--json")).data["budget"] is None
    await eren("ask", "Who painted it?", **limited)
    state = (await eren("status", "--json", **limited)).data["budget"]
    [line] = state["today"]
    assert (line["budget"], line["of"], line["used"], line["limit"], line["percent"]) == (
        "tokens", "guild", 10, 40, 25,
    )  # fmt: skip
    assert line["until"].endswith("+00:00")
    assert (state["questions_per_member"], state["at_limit"]) == (5, "notes-only")
    assert [(one["model"], one["calls"]) for one in state["models"]] == [("scripted", 1)]
    told = (await eren("status", **limited)).out
    assert "10 of 40 tokens of the guild (25 %); 5 questions a member; at the limit" in told


async def test_the_command_line_asks_nothing_of_the_model_beyond_the_budget(eren: CommandLine):
    spent = {"EREN_BUDGET_TOKENS": "10"}
    assert (await eren("ask", "Who painted it?", **spent)).status == 0
    assert "Today's budget is used up" in (await eren("ask", "Who?", **spent)).refusal
