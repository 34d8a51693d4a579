"""`eren reembed` as a script would run it, alone and beside the process that holds the index."""

import asyncio

import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, NoteDraft, Place
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, stems_vector
from tests.test_reembedding import NEW, OLD, texts


@pytest.fixture
def eren(settings: Settings, endpoint: Endpoint) -> CommandLine:
    endpoint.embedders[NEW] = stems_vector
    return CommandLine(settings)


async def fill(settings: Settings, count: int = 30) -> None:
    async with open_app(settings) as app:
        await app.notebook.add_many("local", [NoteDraft(text) for text in texts(count)], By("ann"))


async def test_reembed_goes_to_a_model_and_back_and_reports_both(
    eren: CommandLine, settings: Settings
):
    await fill(settings)
    there = (await eren("reembed", "--model", NEW, "--json")).data
    assert (there["space"], there["before"], there["notes"]) == (NEW, OLD, 30)
    assert there["embedded"] == 30
    assert there["overlap"] > 0.2
    status = (await eren("status", "--json")).data
    assert (status["embedder"], status["reembedding"]["kept"]["space"]) == (NEW, OLD)
    assert (await eren("note", "search", texts(9)[8], "--json")).data[0]["number"] == 9
    back = await eren("reembed", "--rollback")
    assert f"answered with {OLD} from now on; {NEW} is kept" in back.out
    # The environment says what it said before the first of them.
    assert "Nothing to do" in (await eren("reembed")).out
    assert (await eren("status", "--json")).data["embedder"] == OLD


async def test_another_model_in_the_environment_is_gone_to_by_reembed_alone(
    eren: CommandLine, settings: Settings
):
    await fill(settings)
    await eren("note", "search", "ferry")
    changed = {"EREN_EMBEDDING_MODEL": NEW}
    told = await eren("status", **changed)
    assert f"the settings name {NEW}" in told.out
    assert (await eren("reembed", "--json", **changed)).data["space"] == NEW


async def test_what_cannot_be_done_is_refused_in_one_line(eren: CommandLine, endpoint: Endpoint):
    assert "No earlier index is kept" in (await eren("reembed", "--rollback")).refusal
    assert (await eren("reembed", "--rollback", "--model", NEW)).status == 2


async def test_a_refused_model_is_a_failed_command_and_stands_in_the_status(
    eren: CommandLine, settings: Settings, endpoint: Endpoint
):
    await fill(settings)
    endpoint.embedders[NEW] = lambda _: stems_vector("the same")
    assert "nearly the same vector" in (await eren("reembed", "--model", NEW)).refusal
    assert "refused: hashed-stems gives different texts" in (await eren("status")).out


async def test_beside_the_process_that_holds_the_index_that_one_does_it(
    eren: CommandLine, settings: Settings
):
    await fill(settings)
    async with open_app(settings) as bot:
        await bot.notebook.projector.ready()
        async with bot.reembedding.in_background():
            done = await eren.in_a_process("reembed", "--model", NEW, "--json")
        assert (done.status, done.data["space"]) == (0, NEW)
        async with asyncio.timeout(2):
            while bot.embedder.space != NEW:
                await asyncio.sleep(0.05)
        [found] = await bot.notebook.search(Place("local"), texts(3)[2], 1)
        assert found.note.number == 3
