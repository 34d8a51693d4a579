"""The console's lines, as a person types them."""

import pytest

from eren_memory.app import App
from eren_memory.console import Session
from eren_memory.domain import By, NoteDraft, NoteStatus
from eren_memory.errors import BadInput, DuplicateNote, EmptyText, NoteNotFound
from tests.endpoint import Endpoint, Reply

NOON = "The Fenlake Ferry leaves at noon."
DAWN = "The Fenlake Ferry leaves at dawn."
QUESTION = "When does the Fenlake Ferry leave?"


@pytest.fixture
def session(app: App) -> Session:
    return Session(app, "g", "ann")


@pytest.fixture
def contradicted(endpoint: Endpoint) -> None:
    """The model reads the two notes as contradicting each other, and answers from either."""
    endpoint.when(f"Note: {NOON}\nClaim: {DAWN}", Reply("false", probability=0.98))
    endpoint.when(f"Note: {NOON}\nQ", Reply("yes: at noon", probability=0.999))
    endpoint.when(f"Note: {DAWN}\nQ", Reply("yes: at dawn", probability=0.999))


async def statuses(session: Session) -> dict[str, NoteStatus]:
    return {one.text: one.status for one in await session.app.notebook.ledger.notes("g")}


async def test_adding_stops_at_a_contradiction_and_says_how_to_go_on(
    session: Session, contradicted: None
):
    await session.execute(f"/note add {NOON}")
    said = await session.execute(f"/note add {DAWN}")
    first, second = said.splitlines()
    assert first.startswith("conflict: #1 ")
    assert NOON in first
    assert "Nothing was added" in second
    assert "/note replace TEXT" in second
    assert "/note keep TEXT" in second
    assert await statuses(session) == {NOON: "active"}


async def test_adding_what_is_only_related_does_not_stop(session: Session):
    await session.execute(f"/note add {NOON}")
    assert await session.execute(f"/note add {DAWN}") == "Added note #2."


async def test_replacing_puts_the_new_note_in_place_of_those_that_it_contradicts(
    session: Session, contradicted: None
):
    await session.execute(f"/note add {NOON}")
    assert "at noon" in await session.execute(QUESTION)
    assert await session.execute(f"/note replace {DAWN}") == "Added note #2 in place of #1."
    assert await statuses(session) == {NOON: "superseded", DAWN: "active"}
    assert "at dawn\n  — From note #2" in await session.execute(QUESTION)


async def test_keeping_adds_the_new_note_beside_the_other(session: Session, contradicted: None):
    await session.execute(f"/note add {NOON}")
    assert await session.execute(f"/note keep {DAWN}") == "Added note #2."
    assert await statuses(session) == {NOON: "active", DAWN: "active"}


async def test_without_the_model_a_contradiction_in_like_words_still_stops(
    session: Session, endpoint: Endpoint
):
    await session.execute(f"/note add {NOON}")
    endpoint.default = Reply(status=503, body="{}")
    assert "conflict: #1" in await session.execute(f"/note add {DAWN}")
    assert await statuses(session) == {NOON: "active"}


async def test_an_edit_is_in_the_history_with_what_was_there_before(session: Session):
    await session.execute(f"/note add {NOON}")
    edited = await session.execute(f"/note edit 1 {DAWN}")
    assert edited == "Note #1 is active now, revision 2."
    told = (await session.execute("/note history 1")).splitlines()
    assert told[0].endswith("add by ann")
    assert told[1:2] == [f"     {NOON}"]
    assert told[2].endswith("edit by ann")
    assert told[3:6] == ["     text", f"     - {NOON}", f"     + {DAWN}"]
    _, entry = await session.app.notebook.history("g", 1)
    assert entry.by == By("ann", None, "console")


async def test_undo_takes_back_what_was_done_last_and_then_what_was_before(session: Session):
    await session.execute(f"/note add {NOON}")
    await session.execute(f"/note edit 1 {DAWN}")
    await session.execute("/note retire 1")
    assert await session.execute("/undo") == f"#1     {DAWN}"
    assert await session.execute("/undo") == f"#1     {NOON}"
    assert await session.execute("/undo") == f"#1     {NOON} (retired)"
    with pytest.raises(BadInput, match="nothing here"):
        await session.execute("/undo")


async def test_undo_takes_back_a_replacement_as_a_whole(session: Session, contradicted: None):
    await session.execute(f"/note add {NOON}")
    await session.execute(f"/note replace {DAWN}")
    await session.execute("/undo")
    assert await statuses(session) == {NOON: "active", DAWN: "retired"}


async def test_undo_leaves_what_others_did(session: Session):
    await session.app.notebook.add("g", NoteDraft(NOON), By("bob"))
    with pytest.raises(BadInput, match="nothing here"):
        await session.execute("/undo")


async def test_a_retired_note_is_brought_back(session: Session):
    await session.execute(f"/note add {NOON}")
    await session.execute("/note retire #1")
    assert await session.execute("/note list") == "No notes yet. /note add TEXT adds one."
    assert await session.execute("/note restore 1") == "Note #1 is active now, revision 3."
    assert await session.execute("/note list") == f"#1     {NOON}"


async def test_a_note_is_shown_and_found_with_its_codes(session: Session):
    await session.execute("/note add Pay \u202enna.")
    for line in ("/note show 1", "/note search Pay", "/note history 1", "/note list"):
        told = await session.execute(line)
        assert ("\u202e" in told, "Pay \\u202enna." in told) == (False, True), line


@pytest.mark.parametrize(
    ("line", "fault", "said"),
    [
        ("/note add", EmptyText, "note is empty"),
        ("/note replace  ", EmptyText, "note is empty"),
        ("/note edit 1", EmptyText, "note is empty"),
        ("/note edit one x", BadInput, "Give the note's number"),
        (f"/note keep {NOON}", DuplicateNote, "#1 already says exactly this"),
        ("/note history 2", NoteNotFound, "no note #2"),
        ("/note restore 1", BadInput, "like that already"),
        ("/note", BadInput, "/note takes add, edit"),
        ("/note frob 1", BadInput, "/note takes add, edit"),
    ],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    session: Session, line: str, fault: type[BadInput], said: str
):
    await session.execute(f"/note add {NOON}")
    with pytest.raises(fault, match=said):
        await session.execute(line)
    [note] = await session.app.notebook.ledger.notes("g")
    assert (note.text, note.revision) == (NOON, 1)
