"""The Qdrant client's errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from eren_memory.errors import NoteIndexError, NoteRefused

# What a server says of a request that it understood, and does not want: not of itself.
_REFUSED = (400, 413, 422)


@contextmanager
def translated(*, of_notes: bool = False) -> Iterator[None]:
    """Raise `NoteIndexError`; `NoteRefused` where notes are written and the server does not take them."""
    try:
        yield
    except UnexpectedResponse as error:
        if of_notes and error.status_code in _REFUSED:
            raise NoteRefused(f"The Qdrant server refused it ({error.status_code}).") from error
        raise NoteIndexError(
            f"The Qdrant server refused a request ({error.status_code} {error.reason_phrase}). "
            "Check EREN_QDRANT_URL and EREN_QDRANT_API_KEY."
        ) from error
    except (ApiException, OSError) as error:
        raise NoteIndexError(
            "The Qdrant server cannot be reached. Check EREN_QDRANT_URL."
        ) from error
    except ValueError as error:  # A body that claims to be JSON and is not.
        raise NoteIndexError(
            "What answers at EREN_QDRANT_URL is no Qdrant server. Check the address."
        ) from error
