"""Everything that can go wrong, as a person should read it.

    ErenError                       one clear line: the fault and the cure
    ├── BadInput                    what was typed cannot be used; nothing changed
    │   ├── EmptyText
    │   ├── TextTooLong
    │   ├── UnreadableText          NUL, control characters, broken UTF-8
    │   ├── NoteNotFound
    │   ├── DuplicateNote           the notebook already says exactly this
    │   ├── TooManyWaiting          so many suggestions of one person wait already
    │   ├── SimilarNotes            near notes say the same or something else; a person decides
    │   ├── RevisionMoved           somebody changed the note in between
    │   ├── NotInThatState          the note is retired, erased, not a draft …
    │   ├── BadDate
    │   ├── UnknownScope
    │   ├── UnknownTimeZone
    │   ├── ImportRefused           names the file and line; nothing was imported
    │   └── BackupRefused           the archive is damaged, or there is nothing to put it into
    ├── ConfigError                 a setting is missing or contradicts another
    ├── LedgerError                 the database cannot be opened, read or written
    │   └── LedgerTooNew            written by a newer version of this program
    ├── NoteIndexError              the search index failed; the ledger is unharmed
    │   ├── IndexBusy               another process holds the embedded index
    │   └── NoteRefused             the index works, and does not take this note
    ├── EmbedderError               the embedding model cannot be loaded or failed
    ├── ReembedRefused              a new embedding model failed its verification; the old one stays
    ├── ModelError                  the chat model gave no usable answer
    │   ├── ModelUnreachable        connection refused, reset, timed out, server error
    │   ├── ModelUnauthorised
    │   ├── ModelRateLimited
    │   │   └── BudgetUsedUp        the day's budget: no call is made
    │   ├── ModelNotFound
    │   ├── PromptTooLong
    │   ├── ModelRefused            the endpoint or the model declined the request
    │   ├── EmptyReply
    │   └── MalformedReply
    └── LocalModelError             the embedded model's files are missing or damaged

Vendors' exceptions are translated where the vendor's package is imported, never above. An error's
text is shown to people and written to logs, so it carries no secret and no text of a note.
"""

from collections.abc import Mapping
from typing import Any


class ErenError(Exception):
    """Base of every error this package raises on purpose."""


class BadInput(ErenError):
    """What was typed cannot be used; nothing changed."""


class EmptyText(BadInput):
    """A question, claim or note without any visible character."""


class TextTooLong(BadInput):
    """A question, claim or note over its limit."""


class UnreadableText(BadInput):
    """Text with NUL or other control characters, or bytes that are not UTF-8."""


class NoteNotFound(BadInput):
    """No note of this guild has that number."""


class DuplicateNote(BadInput):
    """An active note of this guild already says exactly this."""


class TooManyWaiting(BadInput):
    """Somebody's suggestions wait for a decision; no more are taken from them until then."""


class ForgottenToday(BadInput):
    """Somebody was forgotten today already, and nobody but they asks; nothing changed."""


class SimilarNotes(BadInput):
    """Near notes say the same or contradict; nothing was saved until somebody decides."""


class RevisionMoved(BadInput):
    """A note changed since it was read; nothing was saved. `changes` has field: (before, after)."""

    def __init__(self, message: str, changes: Mapping[str, tuple[Any, Any]]) -> None:
        super().__init__(message)
        self.changes = changes


class NotInThatState(BadInput):
    """A note's status does not allow this act."""


class BadDate(BadInput):
    """A date or duration that cannot be read, or that makes no sense here."""


class UnknownScope(BadInput):
    """A scope that names neither the guild nor channels."""


class UnknownTimeZone(BadInput):
    """No time zone has that name."""


class ImportRefused(BadInput):
    """A line of an import file is not a note; nothing was imported."""


class BackupRefused(BadInput):
    """An archive cannot be restored here; nothing changed."""


class ConfigError(ErenError):
    """A setting is missing or contradicts another."""


class LedgerError(ErenError):
    """The database cannot be opened, read or written."""


class LedgerTooNew(LedgerError):
    """The database was written by a newer version of this program."""


class NoteIndexError(ErenError):
    """The search index failed. The ledger still holds every note."""


class IndexBusy(NoteIndexError):
    """Another process holds the embedded index."""


class NoteRefused(NoteIndexError):
    """The index works, and does not take this note."""


class EmbedderError(ErenError):
    """The embedding model cannot be loaded, or failed."""


class ReembedRefused(ErenError):
    """A new embedding model cannot be used."""


class ModelError(ErenError):
    """The chat model gave no usable answer. `asked` is False where the call was not even made."""

    asked = True


class ModelUnreachable(ModelError):
    """No connection, a timeout, or a server error."""


class ModelUnauthorised(ModelError):
    """The endpoint refused the key."""


class ModelRateLimited(ModelError):
    """The endpoint's rate limit or quota is used up."""


class BudgetUsedUp(ModelRateLimited):
    """Our own daily budget is used up; the call was not made."""

    asked = False


class ModelNotFound(ModelError):
    """The endpoint does not serve the model, or has no chat completions at that address."""


class PromptTooLong(ModelError):
    """The prompt does not fit the model's context."""


class ModelRefused(ModelError):
    """The endpoint or the model declined the request."""


class EmptyReply(ModelError):
    """The model replied with nothing."""


class MalformedReply(ModelError):
    """The endpoint's reply is not a chat completion."""


class LocalModelError(ErenError):
    """The embedded model's files are missing or damaged."""
