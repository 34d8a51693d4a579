"""Text to vectors: sentence-transformers in this process, or an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eren_memory.embedder_file import NAMES, model_folder
from eren_memory.errors import EmbedderError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

_BATCH = 32
_WAIT_POLICY = "OMP_WAIT_POLICY"
_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """What the notebook needs of an embedding model."""

    @property
    def space(self) -> str:
        """Names the vector space: vectors of different spaces must never meet."""
        ...

    async def load(self) -> int:
        """Make ready to embed; returns the dimension. Repeated calls are free."""
        ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit-length rows, shape (texts, dimension). Raises `EmbedderError`."""
        ...

    async def close(self) -> None:
        """Release threads and connections."""
        ...


class LocalEmbedder:
    """A sentence-transformers model on a thread of its own.

    Texts that arrive while a batch is being encoded are encoded together in the next one.

    Args:
        model: Its name or folder.
        home: The data folder, where a model that comes in parts is joined; None for no such model.
    """

    def __init__(self, model: str, home: Path | None = None) -> None:
        self._name = model
        self._home = home
        self._model: SentenceTransformer | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._waiting: list[tuple[Sequence[str], asyncio.Future[NDArray[np.float32]]]] = []
        self._encoding: asyncio.Task[None] | None = None
        self._loading = asyncio.Lock()

    @property
    def space(self) -> str:
        """The model's name."""
        return self._name

    async def load(self) -> int:
        """See `Embedder.load`. The first call takes seconds: it imports torch."""
        async with self._loading:
            loop = asyncio.get_running_loop()
            if self._model is None:
                self._model = await loop.run_in_executor(
                    self._thread, _load, self._name, self._home
                )
            dimension = self._model.get_embedding_dimension()
        if dimension is None:
            raise EmbedderError(f"The embedding model {self._name} does not state its dimension.")
        return int(dimension)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        await self.load()
        ready: asyncio.Future[NDArray[np.float32]] = asyncio.get_running_loop().create_future()
        self._waiting.append((texts, ready))
        if self._encoding is None or self._encoding.done():
            self._encoding = asyncio.create_task(self._encode_waiting())
        return await ready

    async def _encode_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            texts = [text for some, _ in batch for text in some]
            try:
                vectors = await loop.run_in_executor(self._thread, self._encode, texts)
            except Exception as error:  # noqa: BLE001 - Whatever torch raises, the askers must hear.
                _log.warning("The embedding model failed: %s", error)
                failed = EmbedderError("The embedding model failed; the log says why.")
                for _, ready in batch:
                    if not ready.done():
                        ready.set_exception(failed)
                continue
            start = 0
            for some, ready in batch:
                if not ready.done():
                    ready.set_result(vectors[start : start + len(some)])
                start += len(some)

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        import numpy as np

        if self._model is None:
            raise EmbedderError("The embedding model is not loaded.")
        encoded = self._model.encode(
            texts, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(encoded, dtype=np.float32)

    async def close(self) -> None:
        """See `Embedder.close`."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class EndpointEmbedder:
    """An OpenAI-compatible `/embeddings` endpoint."""

    def __init__(self, model: str, base_url: str, api_key: str | None, timeout: float) -> None:
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._timeout = timeout
        self._client: Any = None
        self._dimension = 0

    @property
    def space(self) -> str:
        """The model's name: the same model behind another address makes the same vectors."""
        return self._model

    async def load(self) -> int:
        """See `Embedder.load`."""
        if not self._dimension:
            self._dimension = int((await self.embed(["dimension"])).shape[1])
        return self._dimension

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        import numpy as np
        import openai

        if self._client is None:
            self._client = openai.AsyncOpenAI(
                base_url=self._base_url, api_key=self._api_key or "none", timeout=self._timeout
            )
        parts = [
            await self._part(texts[start : start + _BATCH])
            for start in range(0, len(texts), _BATCH)
        ]
        rows = np.concatenate(parts)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(norms == 0, 1, norms), dtype=np.float32)

    async def _part(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One request: servers limit how many texts they take at once."""
        import numpy as np
        import openai

        try:
            reply = await self._client.embeddings.create(
                model=self._model, input=list(texts), encoding_format="float"
            )
            rows = np.asarray([one.embedding for one in reply.data], dtype=np.float32)
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            # Endpoints quote the key back; it must not stand in a traceback.
            raise EmbedderError(
                "The embeddings endpoint refused the key. Check EREN_EMBEDDING_API_KEY."
            ) from None
        except openai.APIStatusError as error:
            raise EmbedderError(
                f"The embeddings endpoint refused the request ({error.status_code}). "
                "Check EREN_EMBEDDING_URL and EREN_EMBEDDING_MODEL."
            ) from error
        except (openai.OpenAIError, TypeError, ValueError, AttributeError) as error:
            raise EmbedderError(
                "The embeddings endpoint gave no usable answer. Check EREN_EMBEDDING_URL."
            ) from error
        if rows.ndim != 2 or len(rows) != len(texts):
            raise EmbedderError("The embeddings endpoint returned another number of vectors.")
        if not np.isfinite(rows).all():
            raise EmbedderError("The embeddings endpoint returned a vector that is not finite.")
        if self._dimension not in (0, rows.shape[1]):
            raise EmbedderError(
                f"The embeddings endpoint returned {rows.shape[1]} dimensions instead of "
                f"{self._dimension}. Check that it still serves EREN_EMBEDDING_MODEL."
            )
        return rows

    async def close(self) -> None:
        """See `Embedder.close`."""
        if self._client is not None:
            await self._client.close()


@contextmanager
def _waiting_passively() -> Iterator[None]:
    """Have torch's threads sleep while they wait for each other; read once, when torch is imported.

    Spinning, they wait for one that has no processor, because they have it: beside a chat model on the
    same machine, two texts then take half a second instead of ten milliseconds. Only here, so that a
    chat model in a child process keeps its own way.
    """
    if _WAIT_POLICY in os.environ:
        yield
        return
    os.environ[_WAIT_POLICY] = "PASSIVE"
    try:
        yield
    finally:
        del os.environ[_WAIT_POLICY]


def _load(name: str, home: Path | None) -> SentenceTransformer:
    try:
        where = model_folder(name, home) or name
        if isinstance(where, Path):
            # The files are here; asking a hub about them would only cost time.
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with _waiting_passively():
            from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        model = SentenceTransformer(str(where), device="cpu")
        # What torch brings stays for good. Looking through it for garbage, again and again, would
        # hold the event loop up for a quarter of a second each time.
        gc.freeze()
        return model
    except EmbedderError:
        raise
    except Exception as error:  # Hub, file and format errors come in many classes.
        raise EmbedderError(
            f"The embedding model {name} cannot be loaded ({type(error).__name__}). "
            "Check EREN_EMBEDDING_MODEL: a folder, a Hugging Face name, or "
            f"one of {', '.join(NAMES)}."
        ) from error
