import json
from datetime import UTC, datetime, timedelta

import pytest

from eren_memory import conflicts
from eren_memory.app import App, open_app
from eren_memory.config import Settings
from eren_memory.conflicts import Evidence, Kind, decided, evidence, probabilities
from eren_memory.domain import By, NoteDraft
from eren_memory.evaluation.conflict_pairs import fit, pairs, table
from tests.endpoint import Endpoint, Reply

ANN = By("ann")
NOON = "The Fenlake Ferry leaves at noon."
TWO = "The Fenlake Ferry leaves at two."
NOW = datetime(2999, 1, 1, tzinfo=UTC)


async def meets(app: App, text: str = TWO, **fields) -> list[tuple[Kind, int]]:
    compared = await app.notebook.compare("g", NoteDraft(text, **fields))
    return [(one.kind, one.note.number) for one in compared.meetings]


async def test_the_first_note_meets_nothing_and_costs_no_call(app: App, endpoint: Endpoint):
    compared = await app.notebook.compare("g", NoteDraft(NOON))
    assert (compared.meetings, compared.by_model) == ((), True)
    assert endpoint.requests == []
    assert endpoint.embedded == []


@pytest.mark.parametrize(
    ("word", "kind"),
    [("true", Kind.DUPLICATE), ("false", Kind.CONFLICT), ("unknown", Kind.RELATED)],
)
async def test_the_model_reads_the_near_note_with_the_new_one_as_a_claim(
    app: App, endpoint: Endpoint, word: str, kind: Kind
):
    endpoint.default = Reply(word, probability=0.98)
    await app.notebook.add("g", NoteDraft("Where does the ferry leave? At the pier, at noon."), ANN)
    assert await meets(app, "The ferry leaves at the pier, and at two.") == [(kind, 1)]
    asked = endpoint.conversations[-1][-1]["content"]
    assert asked.index("at noon") < asked.index("Claim:") < asked.index("at two")


async def test_notes_that_are_not_near_are_not_read(app: App, endpoint: Endpoint):
    await app.notebook.add("g", NoteDraft("Mira Voss plays the cello."), ANN)
    assert await meets(app) == []
    assert endpoint.requests == []


async def test_the_gravest_comes_first(app: App, endpoint: Endpoint):
    endpoint.default = Reply("unknown", probability=0.99)
    endpoint.when("noon", Reply("false", probability=0.99))
    await app.notebook.add("g", NoteDraft("The Fenlake Ferry leaves at two sharp."), ANN)
    await app.notebook.add("g", NoteDraft(NOON), ANN)
    assert [number for _, number in await meets(app)] == [2, 1]


async def test_no_more_than_three_near_notes_are_read(app: App, endpoint: Endpoint):
    endpoint.default = Reply("unknown", probability=0.99)
    for time in ("one", "three", "noon", "four", "five"):
        await app.notebook.add("g", NoteDraft(f"The Fenlake Ferry leaves at {time}."), ANN)
    assert len(await meets(app)) == 5
    assert len(endpoint.requests) == 3


async def test_without_a_model_words_and_vectors_judge_and_that_is_said(
    app: App, endpoint: Endpoint
):
    endpoint.default = Reply(None, status=500)
    await app.notebook.add("g", NoteDraft(NOON), ANN)
    compared = await app.notebook.compare("g", NoteDraft(TWO))
    assert compared.by_model is False
    [met] = compared.meetings
    assert met.note.number == 1


async def test_notes_that_no_question_could_meet_together_do_not_conflict(
    app: App, endpoint: Endpoint
):
    endpoint.default = Reply("false", probability=0.99)
    day = timedelta(days=1)
    await app.notebook.add("g", NoteDraft(NOON, scope=("a", "b"), valid_until=NOW + day), ANN)
    conflict = [(Kind.CONFLICT, 1)]
    assert await meets(app, scope=("c",)) == []
    assert await meets(app, scope=("b", "c")) == conflict
    assert await meets(app) == conflict
    assert await meets(app, valid_from=NOW + day) == []
    assert await meets(app, valid_from=NOW) == conflict


async def test_a_note_that_has_expired_stands_in_nobodys_way(app: App, endpoint: Endpoint):
    endpoint.default = Reply("false", probability=0.99)
    expired = NoteDraft(NOON, valid_until=datetime(2001, 1, 1, tzinfo=UTC))
    await app.notebook.add_many("g", [expired], ANN)
    assert await meets(app) == []


async def test_a_suggestion_is_not_compared_with_itself(app: App, endpoint: Endpoint):
    endpoint.default = Reply("true", probability=0.99)
    await app.notebook.add("g", NoteDraft(NOON), ANN)
    compared = await app.notebook.compare("g", NoteDraft(NOON), apart_from=1)
    assert compared.meetings == ()


async def test_beside_a_process_that_holds_the_index_the_notes_with_most_words_in_common_are_compared(
    settings: Settings, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    from eren_memory import finding

    monkeypatch.setattr(conflicts, "_PAGE", 3)
    monkeypatch.setattr(finding, "_NEAR", 2)
    endpoint.default = Reply("false", probability=0.99)
    async with open_app(settings) as holder, open_app(settings) as other:
        await holder.notebook.projector.ready()
        for n in range(4):
            await holder.notebook.add("g", NoteDraft(f"Filler {n} of another kind."), ANN)
        await holder.notebook.add("g", NoteDraft(NOON), ANN)
        await holder.notebook.add("g", NoteDraft("More filler of another kind."), ANN)
        assert await meets(other) == [(Kind.CONFLICT, 5)]


def test_the_evidence_counts_words_whatever_their_case():
    seen = evidence("The ferry leaves at noon.", "the FERRY leaves at two", 0.8)
    assert (seen.dense, seen.begins) == (0.8, 0.8)
    assert seen.overlap == pytest.approx(4 / 6)
    assert evidence("a b", "c d", 0.1).overlap == 0
    assert evidence("…", "…", 0.5).overlap == 0


@pytest.mark.parametrize("asked", [False, True])
def test_probabilities_add_up_and_more_evidence_moves_them(asked: bool):
    far = Evidence(0.1, 0.0, 0.0, *((-5.0, -5.0) if asked else ()))
    near = Evidence(0.99, 0.9, 0.3, *((6.0, -3.0) if asked else ()))
    for seen in (far, near):
        assert sum(probabilities(seen).values()) == pytest.approx(1)
    assert decided(far)[0] is Kind.RELATED
    assert decided(near)[0] is Kind.DUPLICATE


def test_what_is_not_sure_is_only_related(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conflicts, "WITHOUT_MODEL", dict.fromkeys(Kind, (0.0, 0.0, 0.0, 0.0)))
    assert decided(Evidence(0.9, 0.9, 0.9))[0] is Kind.RELATED


async def test_pairs_are_made_of_swapped_targets_paraphrases_and_near_notes(app: App):
    counterfact = [
        {
            "id": n,
            "edit_statement": f"The twin city of {city} is {twin}.",
            "edit_scope": [[f"What is the twin city of {city}?", twin]],
            "unrelated": {"same_subj": [f"Where is {city}?"]},
            "unrelated_true_ans": {"same_subj": ["Far away"]},
        }
        for n, (city, twin) in enumerate([("Kelby", "Brask"), ("Oslo", "Peru"), ("Bern", "Rome")])
    ]
    fever = [
        {
            "id": n,
            "edit_statement": said,
            "edit_scope": [[said, "yes"], [f"{said} Indeed.", "yes"], [f"Not {said}", "no"]],
        }
        for n, said in enumerate(["The tide is high.", "Rook Island is a novel."])
    ]
    made = await pairs(counterfact, fever, 2, 0, app.embedder)
    assert made == await pairs(counterfact, fever, 2, 0, app.embedder)
    by_make = {one.made: one for one in made}
    swapped = by_make["target swapped"]
    assert swapped.kind is Kind.CONFLICT
    assert swapped.old.split(" is ")[0] == swapped.new.split(" is ")[0]
    assert swapped.old != swapped.new
    assert by_make["claim labelled yes"].new.endswith("Indeed.")
    assert by_make["claim labelled no"].kind is Kind.CONFLICT
    assert {one.kind for one in made if "nearest" in one.made} == {Kind.RELATED}
    seen = [evidence(one.old, one.new, 0.9) for one in made]
    assert set(fit(seen, made)) == {str(kind) for kind in Kind}
    assert json.dumps(table(seen, made)).count("precision") == 2
