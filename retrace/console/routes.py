"""The routes at /console/: what the console adds to the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from retrace import checkup
from retrace.client import Client
from retrace.console.columns import paths_of, rows
from retrace.console.forwarding import bounded, is_passed_on, problem_response, response_to
from retrace.console.gathering import LATE_MS, PictureReader, Wanted, counts, in_view, wanted
from retrace.console.received import metrics_of
from retrace.console.searching import found_by
from retrace.corrections import corrections, lines_to_correct, results
from retrace.exporting.events import fault_of
from retrace.json_layout import indented
from retrace.problem import Problem

CORRECT = "Correct the window, or go back."


def _answered(ask: Callable[[], Any]) -> Response:
    """The answer, or the problem that prevented it."""
    try:
        return JSONResponse(ask())
    except Problem as problem:
        return response_to(problem)


def _streamed(found: Iterable[dict[str, Any]]) -> Response:
    """A line of JSON for each as it is found; the last one names the problem that stopped it."""
    return StreamingResponse(_lines(found), media_type="application/x-ndjson")


def _lines(found: Iterable[dict[str, Any]]) -> Iterator[str]:
    try:
        for each in found:
            yield _line(each)
    except Problem as problem:
        yield _line({"problem": {"detail": problem.what, "remedy": problem.remedy}})


def _line(members: dict[str, Any]) -> str:
    return json.dumps(members, separators=(",", ":")) + "\n"


class ConsoleRoutes:
    """The routes at /console/."""

    def __init__(self, client: Client, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self._reader = PictureReader(client, clock)

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
        return await run_in_threadpool(self._of_window, request, lambda asked: _streamed(self._reader.pictures(asked)))

    async def counts(self, request: Request) -> Response:
        """How many events of a source and type there are in each bin of a window."""
        return await run_in_threadpool(
            self._of_window, request, lambda asked: _answered(lambda: counts(self._client, asked))
        )

    async def metrics(self, request: Request) -> Response:
        """What CloudWatch counted in a window, for callers who may ask it."""
        return await run_in_threadpool(
            self._of_window, request, lambda asked: JSONResponse(metrics_of(self._client.target, asked.frame))
        )

    def _of_window(self, request: Request, answer: Callable[[Wanted], Response]) -> Response:
        """What is answered about the window that a request names, or what is wrong with the window."""
        try:
            asked = wanted(request.query_params, self._late_ms())
        except ValueError as error:
            return problem_response(HTTPStatus.BAD_REQUEST, str(error), CORRECT)
        return answer(asked)

    async def rows(self, request: Request) -> Response:
        """Events with members of their payloads."""
        query = dict(request.query_params)
        try:
            paths = paths_of(query.pop("columns", ""))
        except ValueError as error:
            return problem_response(HTTPStatus.BAD_REQUEST, str(error), "Write paths such as /amount, /card/network.")
        return await run_in_threadpool(_answered, lambda: rows(self._client, query, paths))

    def _late_ms(self) -> int:
        """From which lag on the deployment lists an event as late, if the stack or the profile says so."""
        try:
            said = self._client.target.known("late_after_seconds")
        except Problem:
            said = None
        return LATE_MS if said is None else int(said) * 1_000

    async def event(self, request: Request) -> Response:
        """An event: what is known of it, its own text, laid out, and its hash computed again."""
        return await run_in_threadpool(self._event, request.path_params["event_id"])

    def _event(self, event_id: str) -> Response:
        if not is_passed_on("GET", f"/events/{event_id}"):
            return problem_response(HTTPStatus.NOT_FOUND, "This is not an event id.")
        try:
            answer = self._client.call("GET", f"/events/{event_id}")
            if answer.status != HTTPStatus.OK:
                return Response(answer.body, answer.status, media_type="application/problem+json")
            known = answer.json
            sent = self._client.call("GET", f"/events/{event_id}/raw")
        except Problem as problem:
            return response_to(problem)
        if sent.status != HTTPStatus.OK:
            why = sent.json.get("detail") if sent.has("detail") else f"The API answered {sent.status}."
            return JSONResponse({"event": known, "raw": None, "laid_out": None, "fault": why})
        raw = sent.body.decode(errors="replace")
        # Laid out here and not by the browser, which would round its numbers.
        return JSONResponse(
            {"event": known, "raw": raw, "laid_out": indented(raw), "fault": fault_of(known, sent.body)}
        )

    async def nothing(self, _: Request) -> Response:
        """404 for any other path below /console/."""
        return problem_response(HTTPStatus.NOT_FOUND, "The console has no such page.")

    async def search(self, request: Request) -> Response:
        """What a text names."""
        text = request.query_params.get("q", "").strip()
        if not text:
            return problem_response(HTTPStatus.BAD_REQUEST, "q is missing.", "Write a name or an id.")
        try:
            view = in_view(request.query_params)
        except ValueError as error:
            return problem_response(HTTPStatus.BAD_REQUEST, str(error), CORRECT)
        return await run_in_threadpool(_answered, lambda: found_by(self._client, text, self._clock(), view))

    async def corrections(self, request: Request) -> Response:
        """Refused events as lines of text, to be corrected."""
        ids = request.query_params.get("ids", "").split(",")
        return await run_in_threadpool(_answered, lambda: {"lines": lines_to_correct(self._client, ids)})

    async def retries(self, request: Request) -> Response:
        """What came of retrying refused events: a line of JSON for each."""
        body = await bounded(request)
        if body is None:
            return problem_response(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "There are too many corrections.", "Send fewer."
            )
        try:
            wanted_retries = corrections(body)
        except Problem as problem:
            return problem_response(HTTPStatus.BAD_REQUEST, problem.what, "Correct this line. Keep its rejected_id.")
        is_dry = request.query_params.get("dry_run") == "true"
        return _streamed(results(self._client, wanted_retries, dry_run=is_dry))

    async def queues(self, _: Request) -> Response:
        """How the queues stand, as `retrace doctor` sees them."""
        return JSONResponse(await run_in_threadpool(self._queues))

    def _queues(self) -> dict[str, list[dict[str, str]]]:
        found = checkup.queues(self._client.target)
        items = [{"queue": one.check, "level": one.level, "said": one.said, "remedy": one.remedy} for one in found]
        return {"items": items}
