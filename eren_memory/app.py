"""The wiring: the one place that knows every part. Front ends open an `App` and call it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from eren_memory import parts
from eren_memory.auditing import Auditor
from eren_memory.calibrations import Calibrations
from eren_memory.charging import ChargedModel
from eren_memory.community import GuildSettings
from eren_memory.config import Settings
from eren_memory.conflicts import Judge
from eren_memory.embedder import Embedder
from eren_memory.engine import Eren
from eren_memory.finding import utc_now
from eren_memory.ledger.audits import Audits
from eren_memory.ledger.claims import Claims
from eren_memory.ledger.communities import Communities
from eren_memory.ledger.database import url_in
from eren_memory.ledger.findings import Findings
from eren_memory.ledger.ledger import open_ledger
from eren_memory.ledger.records import Records
from eren_memory.ledger.reviews import Reviews
from eren_memory.ledger.runs import Runs
from eren_memory.ledger.spending import Spending
from eren_memory.llm import ChatModel, Endpoint
from eren_memory.local_model import LocalServer
from eren_memory.notebook import Notebook
from eren_memory.privacy import Privacy
from eren_memory.projection import Progress
from eren_memory.projections import Projections
from eren_memory.prompts import PROMPT_VERSION, Style, chat_style
from eren_memory.purse import Purse
from eren_memory.reembedding import Reembedding
from eren_memory.relevance import Task
from eren_memory.retention import Swept, sweep
from eren_memory.running import Jobs
from eren_memory.staleness import Report
from eren_memory.upkeep import Upkeep
from eren_memory.watching import OnCall, ping

if TYPE_CHECKING:
    from eren_memory.schedule import Schedule

# Discord repeats a message within minutes, if at all.
_MESSAGES_KEPT = timedelta(days=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """An open assistant. The parts below `eren` are for evaluation, calibration and status."""

    settings: Settings
    notebook: Notebook
    records: Records
    reviews: Reviews
    communities: Communities
    eren: Eren
    chat_model: ChatModel
    local_server: LocalServer | None
    audits: Audits
    findings: Findings
    auditor: Auditor
    by_model: Mapping[str, Eren]
    """The assistant on each model that is offered, the main one first."""
    calibrations_of: Mapping[str, Calibrations]
    """Of each of these models, of whatever space."""
    jobs: Jobs
    """What runs by itself; `schedule` has it run."""
    connect: Callable[[], Awaitable[Endpoint]]
    """Where the chat model is; may start it."""
    reembedding: Reembedding
    privacy: Privacy
    purse: Purse
    """The daily budgets."""
    claims: Claims

    @property
    def embedder(self) -> Embedder:
        """The embedder of the live space."""
        return self.notebook.embedder

    @property
    def all_calibrations(self) -> dict[str, Calibrations]:
        """Of each model that is offered, what its decisions are made with just now."""
        space = self.embedder.space
        return {model: one.of(space) for model, one in self.calibrations_of.items()}

    @property
    def calibrations(self) -> Calibrations:
        """Those of the main model."""
        return self.all_calibrations[self.models[0]]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that communities may choose, the main one first."""
        return tuple(self.by_model)

    def eren_for(self, model: str | None) -> Eren:
        """The assistant on one of `models`; on the main one for None or a name that is not there."""
        return self.by_model.get(model or "", self.eren)

    @property
    def is_calibrated(self) -> bool:
        """Whether the decision was fitted to the model and the embedder that are in use."""
        return self.calibrations.get(Task.QUESTION, logprobs=True).fitted is not None

    def model_of(self, chosen: GuildSettings) -> str:
        """The model that answers a guild: its choice, while that is offered."""
        return chosen.model if chosen.model in self.by_model and chosen.model else self.models[0]

    @staticmethod
    def style_of(chosen: GuildSettings) -> Style:
        """How a guild wants its answers phrased."""
        return chat_style(chosen.tone, chosen.length)

    async def sweep(self, now: datetime) -> Swept:
        """Forget what is older than the settings promise."""
        await self.purse.sweep(now - parts.kept(self.settings))
        await self.claims.forget_before(now - _MESSAGES_KEPT)
        return await sweep(
            self.notebook,
            self.records,
            self.reviews,
            self.communities,
            now,
            parts.times(self.settings),
        )

    async def audit(
        self, guild_id: str, calls: int | None = None, progress: Progress | None = None
    ) -> Report:
        """Find what has grown stale in a guild's notebook; see `Auditor.audit`."""
        chosen = await self.communities.settings(guild_id)
        most = self.settings.audit_calls if calls is None else calls
        return await self.auditor.audit(guild_id, self.eren_for(chosen.model), most, progress)

    def schedule(self) -> Schedule:
        """Timers for `jobs`, to be started and stopped by whoever runs for long."""
        from eren_memory.schedule import Schedule

        return Schedule(self.jobs)

    async def ping_model(self) -> None:
        """Whether the chat model's endpoint answers, without a model call. Raises `ErenError`."""
        await ping(self.connect, self.chat_model.name)

    async def warm(self) -> None:
        """Load what the first question needs, so that it does not wait for it."""

        async def notebook() -> None:
            await self.notebook.projector.project()

        async def model() -> None:
            if self.local_server is not None:
                await self.local_server.connect()

        await asyncio.gather(notebook(), model())


def own_calibrations(settings: Settings) -> Path:
    """Where `eren calibrate` keeps what it fitted for this installation."""
    return settings.home / "calibrations.json"


def files_of_a_backup(settings: Settings) -> dict[str, Path]:
    """What a backup holds beside the ledger, by the name in the archive."""
    return {"calibrations.json": own_calibrations(settings)}


async def _zones(communities: Communities) -> dict[str, tzinfo]:
    zones: dict[str, tzinfo] = {}
    for guild, name in (await communities.time_zones()).items():
        try:
            zones[guild] = ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            _log.info("Guild %s has an unknown time zone.", guild)
    return zones


@asynccontextmanager
async def open_app(
    settings: Settings,
    style: Style = Style.CHAT,
    clock: Callable[[], datetime] = utc_now,
    on_call: OnCall | None = None,
    *,
    guarded: bool = False,
) -> AsyncIterator[App]:
    """Open the assistant and close it on the way out.

    Opening touches the ledger only. The index, the embedding model and the embedded chat model
    start when something first needs them. `on_call` is told of every model call. Where many ask,
    chat models are `guarded` from calls that are bound to fail.

    Raises:
        ConfigError: Settings contradict each other.
        LedgerError: The data folder or the database cannot be used.
    """
    parts.check_budgets(settings)
    async with open_ledger(settings.database_url or url_in(settings.home)) as ledger:
        projections = Projections(
            ledger, parts.store(settings), parts.chosen(settings), partial(parts.embedder, settings)
        )
        await projections.begin()
        communities = Communities(ledger)
        purse = Purse(Spending(ledger), communities, settings, clock)
        await purse.remember()
        server = parts.local_server(settings) if settings.wants_local_model else None
        connect = server.connect if server is not None else parts.remote(settings)

        def model_named(name: str) -> ChatModel:
            model = parts.chat_model(settings, name, connect, on_call, guarded=guarded)
            # Outermost: a budget that is used up says nothing about the model.
            return ChargedModel(model, purse.opened)

        model = model_named(server.model_name if server else settings.offered_models[0])
        notebook = Notebook(ledger, projections, Judge(model), clock)

        def eren_on(model: ChatModel) -> tuple[Eren, Calibrations]:
            own = own_calibrations(settings)
            space = projections.live.space
            calibrations = Calibrations(model.name, space, PROMPT_VERSION, own)
            return Eren(notebook, model, calibrations, style), calibrations

        eren, calibrations = eren_on(model)
        main, *further = settings.offered_models
        by_model, calibrations_of = {main: eren}, {main: calibrations}
        jobs = Jobs(Runs(ledger), partial(_zones, communities), settings.zone, clock)
        async with AsyncExitStack() as closing:
            closing.push_async_callback(purse.warnings.drain)
            # Closed in the other order, each even if another fails to close.
            if server is not None:
                closing.push_async_callback(server.close)
            closing.push_async_callback(model.close)
            for name in further:
                other = model_named(name)
                closing.push_async_callback(other.close)
                by_model[name], calibrations_of[name] = eren_on(other)
            closing.push_async_callback(projections.close)
            audits, findings = Audits(ledger), Findings(ledger)
            auditor = Auditor(
                notebook,
                audits,
                findings,
                model,
                parts.patience(settings),
                parts.kept(settings),
                clock,
            )
            reembedding = Reembedding(
                ledger,
                projections,
                [*calibrations_of.values()],
                own_calibrations(settings),
                parts.pace(settings),
                clock,
            )
            app = App(
                settings,
                notebook,
                Records(ledger),
                Reviews(ledger),
                communities,
                eren,
                model,
                server,
                audits,
                findings,
                auditor,
                by_model,
                calibrations_of,
                jobs,
                connect,
                reembedding,
                Privacy(notebook, parts.beside_ledger(settings), reembedding.tidy, clock),
                purse,
                Claims(ledger),
            )
            beside = files_of_a_backup(settings)
            in_use = partial(getattr, app, "all_calibrations")
            jobs.add(*Upkeep(settings, notebook, app.sweep, beside, in_use, clock).jobs())
            yield app
