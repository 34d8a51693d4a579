"""A note's test questions: asked without and with the notebook, and proposed by the model."""

from __future__ import annotations

import pytest

from eren_memory.app import App
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Probes
from eren_memory.probing import Probe, probe
from eren_memory.proposing import proposed
from tests.calibrated import NOTE, QUESTION, READING, calibrate
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

REPLY = """\
+ When does the ferry leave?
+ when does the  FERRY leave?
Here are more:
- Who built the ferry?
* not one
+
- What colour is it?"""


async def test_a_probe_shows_the_answer_before_and_after(app: App, endpoint: Endpoint):
    calibrate(app.settings)
    endpoint.when(READING, Reply("yes: at noon", probability=0.999))
    endpoint.default = Reply("at two")
    note = await app.notebook.add("g", NoteDraft(NOTE), By("ann"))
    done = await probe(app.eren, note, Probe(QUESTION, change=True))
    assert (done.before, done.answer, done.passed) == ("at two", "at noon", True)


def test_a_proposal_is_read_line_by_line_each_question_once():
    assert proposed(REPLY) == Probes(
        ("When does the ferry leave?",), ("Who built the ferry?", "What colour is it?")
    )
    assert proposed(REPLY, ["WHO built the ferry?"]).keep == ("What colour is it?",)
    assert proposed("I cannot do that.") == Probes()
    assert proposed(f"+ {'x' * 1_001}") == Probes()


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


async def test_proposed_probes_are_saved_only_when_they_are_accepted(
    eren: CommandLine, endpoint: Endpoint
):
    endpoint.when(f"Note: {NOTE}", Reply(REPLY))
    await eren("note", "add", NOTE)
    shown = (await eren("note", "propose", "1", "--json")).data
    assert (shown["change"], shown["saved"]) == (["When does the ferry leave?"], False)
    assert (await eren("note", "show", "1", "--json")).data["probes"] == {"change": [], "keep": []}
    await eren("note", "propose", "1", "--accept")
    assert (await eren("note", "show", "1", "--json")).data["probes"] == {
        "change": ["When does the ferry leave?"],
        "keep": ["Who built the ferry?", "What colour is it?"],
    }
    # Accepting the same proposal again adds nothing twice.
    again = (await eren("note", "propose", "1", "--accept", "--json")).data
    assert (again["change"], again["saved"]) == ([], False)
