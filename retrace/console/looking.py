"""What the console adds to the API: pictures of many events, one event checked, the deployment that it is of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from chalicelib.core.timestamps import parse_day
from retrace import checkup
from retrace.client import Client
from retrace.console.forwarding import is_passed_on, told, told_problem
from retrace.console.gathering import LATE_MS, Gathering, Wanted, wanted
from retrace.console.overview import metrics_of, sources_of
from retrace.exporting.events import fetch
from retrace.output import indented
from retrace.problem import Problem


class Looking:
    """The routes at /console/."""

    def __init__(self, client: Client, gathering: Gathering) -> None:
        self._client = client
        self._gathering = gathering

    async def about(self, _: Request) -> Response:
        """Which deployment the page shows."""
        target = self._client.target
        return JSONResponse(
            {
                "url": target.url,
                "found_in": target.found_in,
                "is_local": target.is_local,
                "region": target.signing_region,
            }
        )

    async def pictures(self, request: Request) -> Response:
        """Events in a window as a picture: a line of JSON for each that is better than the one before."""
        try:
            asked = wanted(request.query_params, await run_in_threadpool(self._late_ms))
        except ValueError as error:
            return told(HTTPStatus.BAD_REQUEST, str(error), "Correct the window, or go back.")
        return StreamingResponse(self._lines(asked), media_type="application/x-ndjson")

    def _late_ms(self) -> int:
        """From which lag on the deployment lists an event as late, where the stack or the profile says so."""
        try:
            said = self._client.target.known("late_after_seconds")
        except Problem:
            said = None
        return LATE_MS if said is None else int(said) * 1_000

    def _lines(self, asked: Wanted) -> Iterator[str]:
        for picture in self._gathering.pictures(asked):
            yield json.dumps(picture, separators=(",", ":")) + "\n"

    async def event(self, request: Request) -> Response:
        """An event: what is known of it, and its own text, laid out, and its hash computed anew."""
        return await run_in_threadpool(self._event, request.path_params["event_id"])

    def _event(self, event_id: str) -> Response:
        if not is_passed_on("GET", f"/events/{event_id}"):
            return told(HTTPStatus.NOT_FOUND, "This is no event's id.")
        try:
            answer = self._client.call("GET", f"/events/{event_id}")
            if answer.status != HTTPStatus.OK:
                return Response(answer.body, answer.status, media_type="application/problem+json")
            known = answer.json
            fetched = fetch(self._client, known)
        except Problem as problem:
            return told_problem(problem)
        raw = None if fetched.text is None else fetched.text.decode(errors="replace")
        # Laid out here and not by the browser, which would round its numbers.
        laid_out = None if raw is None else indented(raw)
        return JSONResponse({"event": known, "raw": raw, "laid_out": laid_out, "fault": fetched.fault})

    async def nothing(self, _: Request) -> Response:
        """Whatever else is asked for there."""
        return told(HTTPStatus.NOT_FOUND, "The console has nothing of that kind.")

    async def sources(self, _: Request) -> Response:
        """Sources and types, as far as the caller may find them."""
        return JSONResponse(await run_in_threadpool(sources_of, self._client))

    async def queues(self, _: Request) -> Response:
        """How the queues stand, as `retrace doctor` sees them."""
        return JSONResponse(await run_in_threadpool(self._queues))

    def _queues(self) -> dict[str, list[dict[str, str]]]:
        found = checkup.queues(self._client.target)
        items = [{"queue": one.check, "level": one.level, "said": one.said, "remedy": one.remedy} for one in found]
        return {"items": items}

    async def metrics(self, request: Request) -> Response:
        """What CloudWatch counted on a day, for who may ask it."""
        try:
            day = parse_day(request.query_params.get("day", ""))
        except ValueError as error:
            return told(HTTPStatus.BAD_REQUEST, f"day {error}", "Give a day such as 2025-11-28.")
        return JSONResponse(await run_in_threadpool(metrics_of, self._client.target, day))
