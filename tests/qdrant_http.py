"""A strict Qdrant on loopback: real HTTP, every request checked, results of the client's local mode.

Local mode lets pass what a server refuses: filters without an index, large limits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python
from qdrant_client import AsyncQdrantClient, models

_Act = Callable[[str, Any], Awaitable[Any]]
_Parameters = dict[Literal["wait", "ordering", "timeout", "consistency"], str]
_LIMITED = (models.Prefetch, models.QueryRequest, models.ScrollRequest)
_VALUES = {bool: {"bool"}, int: {"integer lookup"}, str: {"keyword", "uuid"}}
_ANY = {"integer lookup", "integer range", *map(str, models.PayloadSchemaType)}


@dataclass
class QdrantServer:
    """`requests` has the method, path, JSON body and query parameters of every request so far."""

    url: str = ""
    api_key: str | None = None
    requests: list[tuple[str, str, Any, dict[str, str]]] = field(default_factory=list)
    local: AsyncQdrantClient = field(default_factory=lambda: AsyncQdrantClient(":memory:"))
    created: dict[str, models.CreateCollection] = field(default_factory=dict)
    indexes: dict[str, dict[str, Any]] = field(default_factory=dict)
    fault: str | None = None
    """What it does instead of answering: hang, drop, fail or babble."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """So long it hangs."""
    refuses: str | None = None
    """Requests with this text in them are refused."""

    async def answer(self, model: Any, act: _Act, request: web.Request) -> web.Response:
        if self.fault is not None:
            return await self._fail(request)
        if self.refuses and self.refuses in await request.text():
            return web.json_response({"status": {"error": "Format error"}, "time": 0.0}, status=400)
        try:
            body = json.loads(await request.text() or "null")
            self.requests.append((request.method, request.path, body, dict(request.query)))
            if self.api_key is not None and request.headers.get("api-key") != self.api_key:
                return web.Response(text="Must provide an API key", status=401)
            TypeAdapter(_Parameters).validate_python(dict(request.query))
            # Every model of a request forbids unknown fields itself.
            asked = TypeAdapter(model).validate_json(json.dumps(body), strict=True)
            result = await act(request.match_info.get("name", ""), asked)
        except (FileExistsError, KeyError, TypeError, ValueError) as error:
            kinds = {FileExistsError: (409, "Wrong input"), KeyError: (404, "Not found")}
            status, kind = kinds.get(type(error), (400, "Bad request"))
            message = {"error": f"{kind}: {error}"}
            return web.json_response({"status": message, "time": 0.0}, status=status)
        result = to_jsonable_python(result, by_alias=True, exclude_none=True, fallback=float)
        return web.json_response({"result": result, "status": "ok", "time": 0.0})

    async def _fail(self, request: web.Request) -> web.Response:
        if self.fault == "hang":
            await self.hold.wait()
        if self.fault == "drop" and request.transport:
            request.transport.abort()
        if self.fault == "babble":
            return web.Response(text="<html>a captive portal</html>", content_type="text/html")
        return web.Response(text="upstream", status=502)

    async def exists(self, name: str, _: None) -> dict[str, bool]:
        return {"exists": name in self.created}

    async def create(self, name: str, asked: models.CreateCollection) -> bool:
        if name in self.created:
            raise FileExistsError(f"Collection `{name}` already exists!")
        vectors, sparse = asked.vectors, asked.sparse_vectors
        await self.local.create_collection(name, vectors, sparse_vectors_config=sparse)
        self.created[name], self.indexes[name] = asked, {}
        return True

    async def drop(self, name: str, _: None) -> bool:
        self.created.pop(name, None)
        self.indexes.pop(name, None)
        return await self.local.delete_collection(name)

    async def info(self, name: str, _: None) -> dict[str, Any]:
        asked = to_jsonable_python(self.created[name], exclude_none=True)
        info: dict[str, Any] = to_jsonable_python(await self.local.get_collection(name))
        info["config"]["hnsw_config"] |= asked.pop("hnsw_config", {})
        info["config"] |= asked
        for key, schema in self.indexes[name].items():
            held = info["points_count"]
            info["payload_schema"][key] = {"data_type": schema["type"], "points": held}
        return info

    async def index(self, name: str, asked: models.CreateFieldIndex) -> models.UpdateResult:
        if asked.field_schema is None:
            raise ValueError("The type of the index has to be given")
        schema = to_jsonable_python(asked.field_schema, exclude_none=True)
        self.indexes[name][asked.field_name] = (
            {"type": schema} if isinstance(schema, str) else schema
        )
        return models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)

    async def write(self, name: str, asked: Any) -> Any:
        self.check(name, asked, "unindexed_filtering_update")
        if isinstance(asked, models.UpdateOperations):
            return await self.local.batch_update_points(name, asked.operations)
        if isinstance(asked, models.PointsList | models.PointsBatch):
            asked = models.UpsertOperation(upsert=asked)
        else:
            asked = models.DeleteOperation(delete=asked)
        return (await self.local.batch_update_points(name, [asked]))[0]

    async def read(self, name: str, asked: Any) -> Any:
        self.check(name, asked, "unindexed_filtering_retrieve")
        match asked:
            case models.CountRequest():
                return await self.local.count(name, asked.filter)
            case models.QueryRequest():
                return (await self.local.query_batch_points(name, [asked]))[0]
            case models.QueryRequestBatch():
                return await self.local.query_batch_points(name, asked.searches)
        payload = asked.with_payload is None or asked.with_payload
        if isinstance(asked, models.PointRequest):
            return await self.local.retrieve(name, asked.ids, payload, asked.with_vector or False)
        limit = 10 if asked.limit is None else asked.limit
        points, following = await self.local.scroll(
            name, asked.filter, limit, asked.order_by, asked.offset, payload, asked.with_vector
        )
        return {"points": points, "next_page_offset": following}

    def check(self, name: str, asked: Any, unindexed: str) -> None:
        strict = self.created[name].strict_mode_config
        if strict is None or not strict.enabled:
            return
        most = strict.max_query_limit or float("inf")
        for path, part in _parts(asked):
            if isinstance(part, _LIMITED) and (part.limit or 10) > most:
                raise ValueError(f'Limit exceeded {part.limit or 10} > {most} for "limit"')
            serving = _serving(part) if getattr(strict, unindexed) is False else set()
            if serving and not serving & _served(self.indexes[name].get(path + part.key, {})):
                kinds = ", ".join(sorted({kind.split()[0] for kind in serving}))
                missing = f'Index required but not found for "{path}{part.key}"'
                raise ValueError(f"{missing} of one of the following types: [{kinds}]")


@asynccontextmanager
async def serve(api_key: str | None = None) -> AsyncIterator[QdrantServer]:
    """A running server on a free loopback port."""
    server = QdrantServer(api_key=api_key)
    routes: list[tuple[str, str, _Act, Any]] = [
        ("GET", "", lambda *_: server.local.get_collections(), None),
        ("GET", "/{name}/exists", server.exists, None),
        ("PUT", "/{name}", server.create, models.CreateCollection),
        ("DELETE", "/{name}", server.drop, None),
        ("GET", "/{name}", server.info, None),
        ("PUT", "/{name}/index", server.index, models.CreateFieldIndex),
        ("PUT", "/{name}/points", server.write, models.PointInsertOperations),
        ("POST", "/{name}/points/delete", server.write, models.PointsSelector),
        ("POST", "/{name}/points/batch", server.write, models.UpdateOperations),
        ("POST", "/{name}/points/query", server.read, models.QueryRequest),
        ("POST", "/{name}/points/query/batch", server.read, models.QueryRequestBatch),
        ("POST", "/{name}/points/scroll", server.read, models.ScrollRequest),
        ("POST", "/{name}/points/count", server.read, models.CountRequest),
        ("POST", "/{name}/points", server.read, models.PointRequest),
    ]
    app = web.Application(client_max_size=32 * 2**20)
    for method, path, act, model in routes:
        app.router.add_route(method, f"/collections{path}", partial(server.answer, model, act))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
        await server.local.close()


def _parts(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every model in a request, with the path of the nested objects that it filters."""
    if isinstance(node, BaseModel):
        yield path, node
        path += f"{node.key.removesuffix('[]')}[]." if isinstance(node, models.Nested) else ""
        node = dict(node)
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(one, path)


def _serving(part: Any) -> set[str]:
    """The kinds of index any of which serves a condition; none where it needs none."""
    kinds = set(_ANY) if isinstance(part, models.PayloadField) else set()
    for name, value in part if isinstance(part, models.FieldCondition) else ():
        match value:
            case models.MatchValue() | models.MatchAny() | models.MatchExcept():
                [wanted] = dict(value).values()
                wanted = wanted if isinstance(wanted, list) else [wanted]
                kinds = kinds.union(*(_VALUES[type(one)] for one in wanted))
            case models.Range():
                kinds |= {"float", "integer range"}
            case models.DatetimeRange():
                kinds.add("datetime")
            case bool() | models.ValuesCount():
                kinds |= _ANY
            case BaseModel():  # Text and places: no index here is known to serve them.
                kinds.add(name)
    return kinds


def _served(schema: dict[str, Any]) -> set[str]:
    uses = {f"integer {use}" for use in ("lookup", "range") if schema.get(use, True)}
    return uses if schema.get("type") == "integer" else {schema.get("type", "none")}
