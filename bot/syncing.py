"""Telling Discord of the commands: when they have changed, and from one process of all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from typing import Any

from discord import app_commands

from eren_memory.app import App
from eren_memory.errors import ErenError

# How often those that leave it to another process look whether it is done.
_LOOK_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Syncing:
    """Discord limits syncing, and a refused sync must not end the bot."""

    def __init__(self, tree: app_commands.CommandTree[Any], app: App) -> None:
        self._tree, self._claims = tree, app.claims
        self._waiting: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Sync if need be; while another process is at it, look later whether it came to its end."""
        digest = await self._digest()
        if not await self._settled(digest):
            self._waiting = asyncio.create_task(self._wait(digest))

    async def end(self) -> None:
        """Leave it to others."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)

    async def _wait(self, digest: str) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if await self._settled(digest):
                    return
            except ErenError as error:
                _log.info("It is not known whether Discord has the commands: %s", error)

    async def _settled(self, digest: str) -> bool:
        """Whether there is nothing more to do here."""
        application = str(self._tree.client.application_id)
        if await self._claims.published(application) == digest:
            return True
        if not await self._claims.publish(application, digest):
            return False
        told: str | None = None
        try:
            await self._tree.sync()
            told = digest
        except Exception as error:  # noqa: BLE001 - Whatever it was, the bot can do without.
            _log.warning("Discord did not take the commands (%s); the old ones stay.", error)
        finally:
            await self._claims.told(application, told)
        return True

    async def _digest(self) -> str:
        translator = self._tree.translator
        commands = [
            await command.get_translated_payload(self._tree, translator)
            if translator
            else command.to_dict(self._tree)
            for command in self._tree.get_commands()
        ]
        told = json.dumps(commands, sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()
