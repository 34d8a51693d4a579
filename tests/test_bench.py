"""`eren bench` runs, and says of every figure what it is compared with."""

import json
from pathlib import Path
from typing import Any

import pytest

from eren_memory.config import Settings
from eren_memory.domain import Place
from eren_memory.embedder import Embedder
from eren_memory.evaluation.bench import run as bench
from eren_memory.evaluation.bench import searching
from eren_memory.evaluation.bench.mixed import MixedEmbedder
from eren_memory.evaluation.bench.rows import Row, compared, stalls
from eren_memory.evaluation.bench.scripted import GUILD, open_scripted
from eren_memory.evaluation.bench.synthetic import Corpus, WordsEmbedder
from tests.command_line import CommandLine

FIELDS = {"what", "n", "p50_ms", "p95_ms", "per_second", "baseline", "ratio"}


@pytest.fixture
def eren(settings: Settings) -> CommandLine:
    return CommandLine(settings)


def written(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "bench.json").read_text())
    return found


async def test_a_bench_writes_figures_each_with_the_baseline_that_its_ratio_is_of(
    eren: CommandLine, tmp_path: Path
):
    ran = await eren(
        "bench", "--notes", "200", "--only", "search,question", "--out", str(tmp_path), "--json"
    )
    found = written(tmp_path)
    assert ran.data == found
    assert {"machine", "rows"} <= set(found)
    assert (tmp_path / "bench.md").read_text().startswith("# Bench")
    rows = found["rows"]
    assert all(set(row) >= FIELDS and "error" not in row for row in rows), rows
    names = [row["what"] for row in rows]
    assert any(name.startswith("search, one guild") for name in names)
    assert any(name.startswith("qdrant-client") for name in names)
    for kind, calls in (("off the notebook", 1), ("in scope", 1), ("doubtful", 2)):
        [row] = [row for row in rows if row["what"].startswith(f"question {kind}")]
        assert row["calls"] == pytest.approx(calls, abs=0.2)
    for row in rows:
        if row["baseline"] is not None:
            [base] = [r for r in rows if (r["what"], r["n"]) == (row["baseline"], row["n"])]
            assert row["ratio"] == pytest.approx(row["p50_ms"] / base["p50_ms"], rel=0.2)


async def test_a_part_that_fails_is_a_row_that_says_why_and_the_others_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_given: object) -> object:
        raise OSError("the disk is full")

    monkeypatch.setattr(searching, "guilds", broken)
    told: list[tuple[int, int]] = []
    made = bench.Bench(settings, [50], ["guilds", "memory"], progress=lambda *far: told.append(far))
    rows = (await made.run())["rows"]
    assert rows[0] == {
        **dict.fromkeys(FIELDS),
        "what": "guilds",
        "n": 50,
        "error": "OSError: the disk is full",
    }
    assert [row["megabytes"] > 10 for row in rows[1:]] == [True, True]
    assert told == [(1, 2), (2, 2)]


async def test_a_part_that_there_is_not_is_refused_before_anything_is_measured(eren: CommandLine):
    ran = await eren("bench", "--only", "serch")
    assert ran.status == 2
    assert "'serch'" in ran.err
    assert "search, add, question" in ran.err


def test_ratios_are_of_the_same_size_and_of_what_both_have():
    rows = [
        Row("scan", 10, p50_ms=1.0),
        Row("scan", 20, p50_ms=2.0),
        Row("search", 20, p50_ms=6.0, baseline="scan"),
        Row("question", 30, p50_ms=6.0, calls=1.0, baseline="scan"),
        Row("raw", 10, per_second=100.0),
        Row("import", 20, p50_ms=3.0, per_second=80.0, baseline="raw"),
        stalls("busy", 10, [1.0, 8.0], "quiet"),
        stalls("quiet", 10, [1.0, 2.0]),
        Row("lost", 10, p50_ms=1.0, baseline="never run"),
    ]
    got = {(row.what, row.n): row for row in compared(rows)}
    assert got["search", 20].ratio == 3.0
    assert (got["question", 30].ratio, got["question", 30].added_ms) == (6.0, 5.0)
    assert got["import", 20].ratio == 0.8
    assert got["busy", 10].ratio == 4.0
    assert (got["lost", 10].ratio, got["lost", 10].baseline) == (None, None)


async def test_the_synthetic_corpus_is_the_same_for_a_seed_and_its_questions_meet_their_notes(
    tmp_path: Path,
):
    corpus = Corpus(1)
    assert corpus.notes(0, 50) == Corpus(1).notes(0, 50) != Corpus(2).notes(0, 50)
    async with open_scripted(tmp_path / "home", WordsEmbedder(), delay=0) as opened:
        await opened.fill(corpus.notes(0, 50))
        for place in (0, 17, 49):
            answer = await opened.eren.answer(corpus.answered(place), Place(GUILD))
            assert [one.note.text for one in answer.notes] == [corpus.note(place)]
        answer = await opened.eren.answer(corpus.unrelated(7), Place(GUILD))
        assert not answer.notes


async def test_only_synthetic_notes_are_kept_from_the_real_embedding_model():
    class Real(WordsEmbedder):
        def __init__(self) -> None:
            self.seen: list[str] = []

        async def embed(self, texts):
            self.seen += texts
            return await super().embed(texts)

    real = Real()
    embedder: Embedder = MixedEmbedder(real)
    corpus = Corpus(0)
    texts = [corpus.note(3), "The ferry leaves.", corpus.note(4), corpus.answered(3)]
    got = await embedder.embed(texts)
    assert real.seen == [texts[1], texts[3]]
    assert (got == await WordsEmbedder().embed(texts)).all()
