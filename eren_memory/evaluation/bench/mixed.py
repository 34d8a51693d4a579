"""A real embedding model for what is asked, scripted vectors for the many notes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eren_memory.embedder import Embedder
from eren_memory.evaluation.bench.synthetic import WordsEmbedder

_SYNTHETIC = re.compile(r"The [a-z]+ of [A-Z][a-z]+ \d+ is [A-Z][a-z]+\.")


class MixedEmbedder:
    """An `Embedder` that embeds the synthetic corpus' notes without the model it is given."""

    def __init__(self, real: Embedder) -> None:
        self._real = real
        self._scripted = WordsEmbedder()

    @property
    def space(self) -> str:
        """The real model's."""
        return self._real.space

    async def load(self) -> int:
        """See `Embedder.load`."""
        return await self._real.load()

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        synthetic = [bool(_SYNTHETIC.fullmatch(text)) for text in texts]
        if not any(synthetic):
            return await self._real.embed(texts)
        rows = np.empty((len(texts), await self.load()), dtype=np.float32)
        for chosen, embedder in ((True, self._scripted), (False, self._real)):
            places = [place for place, one in enumerate(synthetic) if one is chosen]
            if places:
                rows[places] = await embedder.embed([texts[place] for place in places])
        return rows

    async def close(self) -> None:
        """See `Embedder.close`."""
        await self._real.close()
