"""The openai client's errors in our words."""

from __future__ import annotations

import math
from typing import Any

from eren_memory.errors import (
    ErenError,
    MalformedReply,
    ModelError,
    ModelNotFound,
    ModelRateLimited,
    ModelRefused,
    ModelUnauthorised,
    ModelUnreachable,
    PromptTooLong,
)

# Seconds. More is no rate limit's answer.
_LONGEST_WAIT = 86_400.0
# What an error in the middle of a stream calls itself, in its `code` or `type`: there is no status.
_UNAUTHORISED = {"401", "403", "invalid_api_key", "authentication_error", "permission_error"}
_LIMITED = {"429", "rate_limit_exceeded", "rate_limit_error", "insufficient_quota"}


def translated(error: Any, model: str) -> ErenError:
    """The vendor's error in our words; the original, which may quote headers, stays the cause."""
    import openai

    if isinstance(error, openai.BadRequestError):
        return _refused(error) or ModelError("The model's endpoint refused the request (400).")
    if isinstance(error, openai.APIResponseValidationError):
        return malformed(model)
    # Subclasses first: a timeout is a connection error too.
    known: tuple[tuple[type[Exception], ErenError], ...] = (
        (
            openai.APITimeoutError,
            ModelUnreachable("The model did not answer in time. Try again in a moment."),
        ),
        (
            openai.APIConnectionError,
            ModelUnreachable(
                "The model's endpoint cannot be reached. Check OPENAI_BASE_URL and the network."
            ),
        ),
        (openai.InternalServerError, _failed()),
        (openai.RateLimitError, _limited(retry_after(getattr(error, "response", None)))),
        (openai.AuthenticationError, _unauthorised()),
        (openai.PermissionDeniedError, _unauthorised()),
        (
            openai.NotFoundError,
            ModelNotFound(
                f"The endpoint does not serve {model}. Check EREN_MODEL and OPENAI_BASE_URL."
            ),
        ),
    )
    for kind, ours in known:
        if isinstance(error, kind):
            return ours
    if type(error) is openai.APIError:
        return _in_a_stream(error)
    return ModelError(f"The model call failed ({type(error).__name__}).")


def retry_after(response: Any) -> float | None:
    """Seconds after which an endpoint wants to be asked again, where it says so in seconds."""
    try:
        wait = float(response.headers.get("retry-after"))
    except (AttributeError, TypeError, ValueError):
        return None
    return wait if 0 <= wait <= _LONGEST_WAIT else None


def is_too_long(error: Any) -> bool:
    """Whether the endpoint says that the prompt does not fit the model's context."""
    said = error.message.lower()
    return error.code == "context_length_exceeded" or (
        "context" in said and any(word in said for word in ("exceed", "maximum", "too large"))
    )


def malformed(model: str) -> MalformedReply:
    """For a reply that has another shape than it should."""
    return MalformedReply(
        f"The endpoint's reply for {model} is not a chat completion. Check OPENAI_BASE_URL."
    )


def _in_a_stream(error: Any) -> ErenError:
    """What an error that comes instead of the next part of an answer means."""
    names = {str(error.code), str(getattr(error, "type", None))}
    if names & _UNAUTHORISED:
        return _unauthorised()
    if names & _LIMITED:
        return _limited()
    return _refused(error) or _failed()


def _refused(error: Any) -> ModelError | None:
    """What a refusal means when it is about the prompt."""
    if is_too_long(error):
        return PromptTooLong(
            "The question and its notes do not fit the model's context. Shorten it."
        )
    if error.code == "content_filter" or "content management policy" in error.message.lower():
        return ModelRefused("The model's provider declined this request.")
    return None


def _failed() -> ModelUnreachable:
    return ModelUnreachable("The model's endpoint failed. Try again in a moment.")


def _limited(wait: float | None = None) -> ModelRateLimited:
    when = "later" if wait is None else f"in {max(1, math.ceil(wait))} s"
    return ModelRateLimited(f"The model's rate limit or quota is used up. Try again {when}.")


def _unauthorised() -> ModelUnauthorised:
    return ModelUnauthorised("The model's endpoint refused the key. Check OPENAI_API_KEY.")
