"""What an endpoint's reply says, whole or streamed, read without trusting its shape."""

from __future__ import annotations

import re
from typing import Any

from eren_memory.domain import Usage
from eren_memory.errors import EmptyReply, ModelRefused, ModelUnreachable
from eren_memory.llm_errors import malformed

_THINKING = "<think>"
# Characters, thoughts included. Whatever goes on for longer is no completion of ours.
_LONGEST = 200_000
_ROUNDED = 1e-3
_THOUGHTS = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)


class Said:
    """A reply, as far as it has come.

    Attributes:
        first_token: The first token's alternatives with their log-probabilities.
        usage: One call; with its tokens once the endpoint has told them.
    """

    def __init__(self, model: str) -> None:
        self.first_token: tuple[tuple[str, float], ...] = ()
        self.usage = Usage(1)
        self._model = model
        self._raw = ""
        self._refused = False
        self._finish: str | None = None
        self._begun = False

    @property
    def text(self) -> str:
        """The answer, without a reasoning model's thoughts."""
        return _encodable(_THOUGHTS.sub("", self._raw)).strip()

    @property
    def shown(self) -> str:
        """What may be shown before the end: not what may become the mark of thoughts."""
        return "" if _THINKING.startswith(self._raw.strip()) else self.text

    @property
    def cut(self) -> bool:
        """Whether the reply ran into the token limit."""
        return self._finish == "length"

    def take_whole(self, reply: Any) -> None:
        """Read a completion. Raises `MalformedReply`."""
        try:
            self._take(reply.choices[0], reply.choices[0].message)
            self._count(reply)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise malformed(self._model) from error

    def take_part(self, chunk: Any) -> None:
        """Read a chunk of a streamed one. Raises `MalformedReply`."""
        try:
            if chunk.choices:  # The chunk with the usage has none.
                self._take(chunk.choices[0], chunk.choices[0].delta)
            self._count(chunk)
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise malformed(self._model) from error

    def end(self) -> None:
        """Check that a stream did not just stop.

        Raises:
            MalformedReply: There was no stream at all.
            ModelUnreachable: It stopped in the middle.
        """
        if not self._begun:
            raise malformed(self._model)
        if self._finish is None:
            raise ModelUnreachable("The model's answer broke off. Try again in a moment.")

    def check(self) -> None:
        """Raises `ModelRefused` or `EmptyReply` for what is no answer."""
        if self._refused or self._finish == "content_filter":
            raise ModelRefused("The model declined this request.")
        if not self.text:
            raise EmptyReply("The model replied with nothing. Try again, or ask in other words.")

    def _take(self, choice: Any, message: Any) -> None:
        self._begun = True
        self._raw += message.content or ""
        if len(self._raw) > _LONGEST:
            raise ValueError("no answer is that long")
        self._refused |= bool(getattr(message, "refusal", None))
        self._finish = choice.finish_reason or self._finish
        content = (getattr(choice, "logprobs", None) and choice.logprobs.content) or []
        if content and not self.first_token:
            top = getattr(content[0], "top_logprobs", None) or ()
            alternatives = ((str(one.token), float(one.logprob)) for one in top)
            # No logarithm of a probability is above 0, or not a number; rounding is forgiven.
            self.first_token = tuple(one for one in alternatives if one[1] <= _ROUNDED)

    def _count(self, reply: Any) -> None:
        if used := getattr(reply, "usage", None):
            self.usage = Usage(1, int(used.prompt_tokens), int(used.completion_tokens))


def _encodable(text: str) -> str:
    """Half a character, which JSON allows and nothing else takes, as a replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
