"""The harness against itself: whole runs on a scripted endpoint, whose right figures are known."""

import asyncio
import csv
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from eren_memory.config import Settings
from eren_memory.domain import Place
from eren_memory.errors import BadInput
from eren_memory.evaluation import methods, plots
from eren_memory.evaluation.bench_notebook import GUILD, fill, open_bench
from eren_memory.evaluation.conflict_pairs import half
from eren_memory.evaluation.measure import Wanted, measure, plan
from eren_memory.evaluation.reading import load
from eren_memory.evaluation.report import rebuild
from eren_memory.relevance import Task
from eren_memory.strategies import Strategy
from eren_memory.strategies.scoped import ScopeHead, Serac
from tests.benchmarks import calibrated, claims, entries, no_bar, read_notes, several, write
from tests.command_line import CommandLine
from tests.endpoint import Endpoint, Reply

EXAMPLE = Path(__file__).parents[1] / "docs" / "research.md"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "counterfact.json", entries())


@pytest.fixture
def reader(settings: Settings, endpoint: Endpoint) -> Settings:
    """An installation whose model reads notes rightly."""
    endpoint.when("Note: ", read_notes)
    return calibrated(settings)


async def run(
    settings: Settings,
    wanted: Wanted | Path,
    names: str | Mapping[str, Strategy] = "eren",
    out: Path | None = None,
    *,
    resume: bool = False,
) -> dict[str, Any]:
    wanted = wanted if isinstance(wanted, Wanted) else Wanted(wanted)
    return await measure(
        settings,
        plan(wanted),
        methods.chosen(names) if isinstance(names, str) else names,
        out=out,
        resume=resume,
        concurrency=4,
        bar=no_bar,
    )


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "rows.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(out: Path) -> list[str]:
    return (out / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)


def without_times(results: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(results))
    for stage in (plain, *plain["curve"]):
        for figures in stage["methods"].values():
            del figures["ms_p50"], figures["ms_p95"]
    return plain


async def test_an_oracle_and_a_right_reader_score_one_and_the_unedited_model_zero_and_one(
    reader: Settings, data: Path, endpoint: Endpoint
):
    def reply(asked: dict[str, Any]) -> Reply:
        told, shown = asked["messages"][0]["content"], asked["messages"][-1]["content"]
        if not told.startswith("Answer the question from the note"):
            return read_notes(asked)
        return Reply(shown.split(".\nQuestion: ")[0].split()[-1])

    endpoint.rules[:] = [("Note: ", reply)]
    results = await run(reader, data, "eren,oracle-note,unedited")
    ours, oracle, unedited = (results["methods"][m] for m in ("eren", "oracle-note", "unedited"))
    for one in (ours["audited"], oracle["audited"]):
        assert [one[key] for key in ("es", "es_exact", "bp", "eq", "eq_exact")] == [1] * 5
    # The clash in the file: no method can answer it both ways.
    assert ours["bp"] == oracle["bp"] == pytest.approx(12 / 13)
    assert ours["errors"]["false_accept"] == ours["errors"]["total"] == 1
    assert [unedited[key] for key in ("es", "bp", "eq", "bp_fresh", "bp_path")] == [0, 1, 0, 1, 1]
    assert unedited["calls_per_question"] == 1
    assert unedited["errors"]["false_reject"] == unedited["errors"]["total"] == 12
    assert results["noise_floor"] == 1
    assert results["complete"]
    assert ours["right"] == {"scope": 1, "same_subject": 1, "neighbour": pytest.approx(6 / 7)}
    assert ours["calls"]["scope"] == 1
    assert not (reader.home / "notebook.db").exists()


async def test_an_endpoint_that_differs_from_itself_is_told_from_a_changed_behaviour(
    reader: Settings, data: Path, endpoint: Endpoint
):
    said = iter(range(10_000))
    endpoint.when("Please answer", lambda _: Reply(f"answer {next(said)}"))
    results = await run(reader, data, "eren,unedited")
    assert results["noise_floor"] == 0
    assert results["methods"]["eren"]["bp_fresh"] == 0
    assert results["methods"]["eren"]["audited"]["bp"] == 1
    assert results["methods"]["unedited"]["bp"] == 1
    assert results["methods"]["unedited"]["bp_fresh"] == 0


class Pretender:
    """Says that its answer is the model's, and asked something else."""

    name = "pretender"
    candidates = 0

    async def answer(self, question, candidates, asking):
        from eren_memory.domain import Origin, Path
        from eren_memory.strategies import Outcome

        await asking.unedited(question)
        return Outcome("my own words", Origin.MODEL, Path.UNEDITED)

    async def check(self, claim, candidates, asking):
        raise RuntimeError("no claims")


async def test_an_answer_in_other_words_is_no_fallback_whatever_its_method_calls_it(
    reader: Settings, data: Path
):
    results = await run(reader, data, "tests.test_measuring:Pretender")
    one = results["methods"]["pretender"]
    assert (one["bp"], one["bp_path"]) == (0, 1)
    assert one["errors"]["wrong_answer"] == 13


async def test_what_a_method_raises_becomes_a_row(reader: Settings, tmp_path: Path):
    data = write(tmp_path / "fever.json", claims())
    out = tmp_path / "out"
    results = await run(reader, data, "unedited,tests.test_measuring:Pretender", out)
    one = results["methods"]["pretender"]
    assert one["errors"]["failed"] == one["errors"]["total"] == results["questions"]
    assert not results["complete"]
    assert {row["error"] for row in rows(out) if row["method"] == "pretender"} == {
        "RuntimeError: no claims"
    }


async def test_a_failing_endpoint_makes_rows_not_crashes_and_resuming_asks_them_again(
    reader: Settings, data: Path, endpoint: Endpoint, tmp_path: Path
):
    endpoint.rules.insert(0, ("Where does Bob", Reply(status=418, body="{}")))
    out = tmp_path / "out"
    broken = await run(reader, data, "unedited", out)
    errors = broken["methods"]["unedited"]["errors"]
    assert errors["failed"] == 1
    assert errors["total"] == sum(n for name, n in errors.items() if name != "total") == 13
    assert broken["methods"]["unedited"]["bp"] == pytest.approx(12 / 13)
    assert not broken["complete"]
    assert "Not complete" in (out / "report.md").read_text()
    del endpoint.rules[0]
    asked = len(endpoint.requests)
    whole = await run(reader, data, "unedited", out, resume=True)
    assert len(endpoint.requests) - asked == 2
    assert whole["methods"]["unedited"]["errors"]["failed"] == 0
    assert whole["complete"]


async def test_a_killed_run_goes_on_with_what_it_has_to_the_same_figures(
    reader: Settings, data: Path, endpoint: Endpoint, tmp_path: Path
):
    names = "eren,unedited,retrieval-only,serac,oracle-note"
    whole = await run(reader, data, names, tmp_path / "whole")
    kept = lines(tmp_path / "whole")
    for killed_at in (1, 20, len(kept) - 3):
        cut = tmp_path / f"cut{killed_at}"
        cut.mkdir()
        torn = kept[killed_at].encode()[: len(kept[killed_at]) // 2]
        (cut / "journal.jsonl").write_bytes("".join(kept[:killed_at]).encode() + torn)
        asked = len(endpoint.requests)
        resumed = await run(reader, data, names, cut, resume=True)
        assert lines(cut)[:killed_at] == kept[:killed_at]
        assert len(lines(cut)) == len(kept)
        assert len(endpoint.requests) - asked <= asked
        assert without_times(resumed) == without_times(whole)


async def test_a_run_whose_process_is_killed_goes_on(
    reader: Settings, data: Path, endpoint: Endpoint, tmp_path: Path
):
    out = tmp_path / "out"
    endpoint.rules.append(("Please answer", Reply("unedited answer", delay=0.05)))
    words = ("eval", "--data", str(data), "--methods", "eren,unedited", "--out", str(out))
    eren = CommandLine(reader)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "eren_memory.cli", *words, env={**os.environ, **eren.environment}
    )
    while not (out / "journal.jsonl").exists() or len(lines(out)) < 12:
        await asyncio.sleep(0.02)
    child.kill()
    await child.wait()
    # What stands behind the last line break was being written when it was killed.
    before = [line for line in lines(out) if line.endswith("\n")]
    assert (await eren(*words)).refusal.endswith("add --resume, or name another folder.")
    ran = await eren(*words, "--resume", "--json")
    assert ran.data["complete"]
    assert lines(out)[: len(before)] == before
    whole = await run(reader, data, "eren,unedited")
    assert without_times(ran.data) == without_times(whole)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"questions": 9}, "questions was None and is 9"),
        ({"edits": [2]}, r"edits was \(6,\) and is \(2,\)"),
        ({"distractors": 7}, "distractors was 0 and is 7"),
    ],
)
async def test_a_run_is_not_gone_on_with_by_another(
    reader: Settings, data: Path, tmp_path: Path, change: dict[str, Any], fault: str
):
    await run(reader, data, "unedited", tmp_path / "out")
    before = lines(tmp_path / "out")
    with pytest.raises(BadInput, match=f"holds another run: {fault}"):
        await run(reader, Wanted(data, **change), "unedited", tmp_path / "out", resume=True)
    with pytest.raises(BadInput, match="holds a run already"):
        await run(reader, data, "unedited", tmp_path / "out")
    assert lines(tmp_path / "out") == before


async def test_another_model_or_file_does_not_go_on_with_a_run(
    reader: Settings, data: Path, tmp_path: Path
):
    await run(reader, data, "unedited", tmp_path / "out")
    with pytest.raises(BadInput, match="model was scripted and is another"):
        await run(
            reader.model_copy(update={"model": "another"}), data, "unedited", tmp_path / "out",
            resume=True,
        )  # fmt: skip
    write(data, entries()[:5])
    with pytest.raises(BadInput, match="sha256 was"):
        await run(reader, data, "unedited", tmp_path / "out", resume=True)


async def test_two_processes_do_not_write_one_journal(reader: Settings, data: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    with (
        FileLock(out / "journal.jsonl.lock"),
        pytest.raises(BadInput, match="Another process is writing"),
    ):
        await run(reader, data, "unedited", out)
    assert (await run(reader, data, "unedited", out))["complete"]


async def test_a_resumed_run_may_add_a_method(reader: Settings, data: Path, tmp_path: Path):
    await run(reader, data, "unedited", tmp_path / "out")
    results = await run(reader, data, "unedited,eren", tmp_path / "out", resume=True)
    assert list(results["methods"]) == ["unedited", "eren"]


async def test_a_report_is_made_again_without_the_model(
    reader: Settings, data: Path, endpoint: Endpoint, tmp_path: Path
):
    out = tmp_path / "out"
    wanted = Wanted(data, edits=[1, 4, 6])
    first = await run(reader, wanted, "eren,unedited", out)
    made = {file.name: file.read_bytes() for file in out.iterdir() if file.suffix != ".lock"}
    asked = len(endpoint.requests)
    for name in made:
        if name != "journal.jsonl":
            (out / name).unlink()
    assert rebuild(out) == first == json.loads((out / "results.json").read_text())
    assert {name: (out / name).read_bytes() for name in made} == made
    assert len(endpoint.requests) == asked
    assert {*made} == {"journal.jsonl", "results.json", "report.md", "rows.csv", *plots.CAPTIONS}
    page = (out / "report.md").read_text()
    assert "Published, not measured here" in page
    for picture in plots.CAPTIONS:
        assert f"]({picture})" in page


async def test_without_matplotlib_the_report_says_what_it_lacks(
    reader: Settings, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(plots, "available", lambda: False)
    await run(reader, data, "unedited", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.png"))
    assert "pip install 'eren-bot[eval]'" in (tmp_path / "out" / "report.md").read_text()


async def test_there_is_a_row_for_every_question_and_its_faults_add_up(
    reader: Settings, data: Path, tmp_path: Path
):
    out = tmp_path / "out"
    results = await run(reader, Wanted(data, edits=[2, 6]), "eren,one-step,retrieval-only", out)
    for stage in results["curve"]:
        for method, figures in stage["methods"].items():
            mine = [
                row
                for row in rows(out)
                if (row["method"], row["edits"]) == (method, str(stage["edits"]))
            ]
            assert len(mine) == stage["planned"]
            assert sum(bool(row["fault"]) for row in mine) == figures["errors"]["total"]
            assert sum(row["right"] == "0" for row in mine) == figures["errors"]["total"]


async def test_the_notebook_grows_with_the_curve_and_holds_the_distractors(
    reader: Settings, data: Path, tmp_path: Path, endpoint: Endpoint
):
    other = write(tmp_path / "fever.json", claims())
    wanted = Wanted(data, edits=[1, 3], distractors=20, distractors_from=[other])
    results = await run(reader, wanted, "eren")
    assert [(one["edits"], one["notes"]) for one in results["curve"]] == [(1, 21), (3, 23)]
    assert (results["notes"], results["distractors"]) == (23, 20)
    noted = {
        text
        for text in endpoint.embedded
        if "does play" in text and text.endswith(".") and "?" not in text
    }
    assert len(noted) == 3


async def test_filling_a_large_notebook_shows_how_far_it_is(settings: Settings):
    told: list[tuple[int, int]] = []
    texts = [f"Door {number} is open." for number in range(4_500)]
    async with open_bench(settings, []) as app:
        await fill(app, texts, lambda done, total: told.append((done, total)))
        assert await app.notebook.ledger.active_count() == 4_500
        assert await app.notebook.search(Place(GUILD), "Is door 7 open?", 1)
    assert told == [(2_000, 4_500), (4_000, 4_500), (4_500, 4_500)]


async def test_questions_that_a_distractor_answers_are_listed_and_not_asked(
    reader: Settings, data: Path, tmp_path: Path, endpoint: Endpoint
):
    other = claims()
    other[0]["edit_statement"] = other[0]["edit_scope"][0][0] = "Dee lives in the old mill."
    path = write(tmp_path / "fever.json", other)
    results = await run(reader, Wanted(data, distractors=6, distractors_from=[path]), "unedited")
    asked = {messages[-1]["content"] for messages in endpoint.conversations}
    assert not any(" Dee " in text for text in asked)
    assert {one["text"] for one in results["left_out"]} == {
        "What does Dee play?", "What instrument does Dee play?", "Where does Dee live?",
    }  # fmt: skip


async def test_claims_are_told_as_supported_refuted_and_silent(
    reader: Settings, tmp_path: Path, endpoint: Endpoint
):
    def judge(asked: dict[str, Any]) -> Reply:
        note, claim = asked["messages"][-1]["content"].split("\nClaim: ")
        lake = claim.split()[1]
        if f" {lake} " not in note:
            return Reply("unknown", probability=0.99)
        return Reply("false" if "never" in claim else "true", probability=0.99)

    endpoint.rules[:] = [("Note: ", judge), ("Is it true", Reply("no"))]
    data = write(tmp_path / "fever.json", claims())
    results = await run(reader, data, "eren,unedited", tmp_path / "out")
    ours, unedited = results["methods"]["eren"], results["methods"]["unedited"]
    assert results["edits"] == 3
    assert (ours["es"], ours["bp"], ours["eq"]) == (1, 1, 1)
    assert ours["claims"] == {
        "polarity": 1,
        "wanted_and_said": {
            "supported": {"supported": 6, "refuted": 0, "silent": 0},
            "refuted": {"supported": 0, "refuted": 3, "silent": 0},
            "silent": {"supported": 0, "refuted": 0, "silent": 9},
        },
    }
    # The unedited model says no to everything, and the true label of every claim is yes.
    assert unedited["es"] == pytest.approx(1 / 3)
    assert unedited["target_differs"] == {"n": 3, "es": 1, "es_exact": 1}
    assert "## Where the target is not the true answer" in (tmp_path / "out/report.md").read_text()


async def test_questions_that_need_both_notes_have_recall_and_f1(
    reader: Settings, tmp_path: Path, endpoint: Endpoint
):
    def both(asked: dict[str, Any]) -> Reply:
        number = asked["messages"][-1]["content"].split("feeds lake ")[1].split()[0]
        return Reply(f"the Vale{number} there")

    endpoint.when("Read this and", both)
    data = write(tmp_path / "hotpot.json", several()[:5])
    results = await run(reader, data, "oracle-note,one-step")
    oracle, one_step = results["methods"]["oracle-note"], results["methods"]["one-step"]
    assert (oracle["es"], oracle["es_exact"]) == (1, 0)
    assert oracle["f1"] == pytest.approx(2 / 3)
    assert oracle["bp"] is oracle["eq"] is oracle["bp_ci"] is None
    assert oracle["recall"] is None
    assert one_step["recall"]["20"] == 1
    assert one_step["recall"]["1"] == 0
    assert results["notes"] == 10


async def test_swapped_entities_fail_a_model_that_does_not_read(
    reader: Settings, tmp_path: Path, endpoint: Endpoint
):
    def truth(asked: dict[str, Any]) -> Reply:
        number = asked["messages"][-1]["content"].split("feeds lake ")[1].split()[0]
        return Reply(f"Vale{number}")

    endpoint.rules[:] = [("feeds lake", truth)]
    data = write(tmp_path / "hotpot.json", several())
    plain = await run(reader, data, "unedited")
    swapped = await run(reader, Wanted(data, swap=True), "unedited")
    assert plain["methods"]["unedited"]["es"] == pytest.approx(5 / 6)
    assert swapped["methods"]["unedited"]["es"] == 0
    assert swapped["variant"] == "entities swapped"
    assert [one["reason"] for one in swapped["left_out"]] == ["its answer cannot be swapped"]


async def test_retrieval_alone_quotes_the_nearest_note(reader: Settings, data: Path):
    quoting = (await run(reader, data, "retrieval-only"))["methods"]["retrieval-only"]
    assert quoting["calls"]["scope"] < 1
    assert quoting["es"] > 0.5 > quoting["es_exact"]


async def test_serac_answers_from_the_note_whose_scope_holds_the_question(
    reader: Settings, data: Path, endpoint: Endpoint
):
    def last_word(asked: dict[str, Any]) -> Reply:
        return Reply(asked["messages"][-1]["content"].split(".\nQuestion: ")[0].split()[-1])

    endpoint.rules[:] = [("Note: ", last_word)]
    # Three of a note's five words stand in its own questions, two in a neighbour's.
    head = ScopeHead(-5.0, (0.0, 0.0, 0.0, 10.0))
    serac = Serac(dict.fromkeys(Task, head))
    results = await run(reader, data, {serac.name: serac})
    one = results["methods"]["serac"]
    assert one["audited"]["es_exact"] == one["audited"]["bp"] == 1
    assert one["calls"] == {"scope": 1, "same_subject": 1, "neighbour": 1}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("magic", "magic is not one of eren, "),
        (",", "No method is named"),
        ("eren,eren", "two methods eren"),
        ("no.such:Method", "there is no module no"),
        ("tests.test_measuring:Absent", "has no attribute 'Absent'"),
        ("tests.test_measuring:EXAMPLE", "cannot be made"),
        ("builtins:dict", "is no method: it has no name"),
    ],
)
def test_a_method_that_cannot_be_used_is_named(given: str, fault: str):
    with pytest.raises(BadInput, match=fault):
        methods.chosen(given)


def example(mark: str) -> str:
    """The documentation's Python that has a mark in it."""
    blocks = EXAMPLE.read_text(encoding="utf-8").split("```python\n")[1:]
    [code] = [one for one in (block.split("```")[0] for block in blocks) if mark in one]
    return code


def test_the_documentations_way_to_the_held_half_leaves_notes_in_and_questions_out(tmp_path: Path):
    published = [one | {"id": number} for number, one in enumerate(entries())]
    write(tmp_path / "cfh_filtered.json", published)
    exec(example("import half"), {})
    whole, held = load(tmp_path / "cfh_filtered.json"), load(tmp_path / "held.json")
    assert [one.statements for one in held.edits] == [one.statements for one in whole.edits]
    assert [bool(one.cases) for one in held.edits] == [half(one.id) == 1 for one in whole.edits]


async def test_the_example_of_the_documentation_runs(reader: Settings, data: Path, tmp_path: Path):
    code = example("class Longest")
    (tmp_path / "my_method.py").write_text(code, encoding="utf-8")
    eren = CommandLine(reader)
    ran = await eren(
        "eval",
        "--data",
        str(data),
        "--methods",
        "unedited,my_method:Longest",
        "--out",
        "out",
        "--json",
    )
    assert {*ran.data["methods"]} == {"unedited", "longest"}
    assert ran.data["complete"]
    again = await eren("report", "out")
    assert again.status == 0
    assert "longest" in again.out
    assert "report.md" in again.out


async def test_a_shuffled_file_is_refused_in_one_line(reader: Settings, data: Path):
    made = entries()
    for one, other in zip(made, entries()[1:] + entries()[:1], strict=True):
        one["edit_scope"] = [[q, other["edit_scope"][0][1]] for q, _ in one["edit_scope"]]
    write(data, made)
    ran = await CommandLine(reader)("eval", "--data", str(data))
    assert "labels are shuffled or damaged" in ran.refusal


async def test_labels_that_no_note_bears_out_show_in_the_oracle(
    reader: Settings, tmp_path: Path, endpoint: Endpoint
):
    own = tmp_path / "own.jsonl"
    made = [
        {"note": f"Door {n} is at level {n}.", "change": [[f"Where is door {n}?", f"floor{n}"]]}
        for n in range(4)
    ]
    own.write_text("\n".join(json.dumps(one) for one in made))
    endpoint.rules[:] = [("Note: ", Reply("level"))]
    results = await run(reader, own, "oracle-note")
    assert "only 0% of the targets stand in their note" in results["warning"]
    assert "oracle-note, which is shown the right note, has ES 0.000" in results["warning"]


async def test_a_folder_without_a_run_is_named(settings: Settings, tmp_path: Path):
    ran = await CommandLine(settings)("report", str(tmp_path))
    assert "There is no journal" in ran.refusal
    (tmp_path / "journal.jsonl").write_text('{"method": "eren"}\n')
    ran = await CommandLine(settings)("report", str(tmp_path))
    assert "line 1, is not of a journal" in ran.refusal


async def test_failed_answers_are_told(reader: Settings, data: Path, endpoint: Endpoint):
    endpoint.rules[:] = [("Please answer", Reply(status=418, body="{}"))]
    ran = await CommandLine(reader)("eval", "--data", str(data), "--methods", "unedited")
    assert ran.status == 0
    assert "25 answers failed; with --out they could be asked again" in ran.err


async def test_sizes_that_are_no_numbers_are_refused(settings: Settings, data: Path):
    ran = await CommandLine(settings)("eval", "--data", str(data), "--edits", "1,x")
    assert (ran.status, "numbers from 1 with commas" in ran.err) == (2, True)
