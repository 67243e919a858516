"""Compares two versions of an OpenAPI document, and names every change that is not an addition.

Routes, optional parameters, media types of requests, members and error statuses may be added. Successes may not: a
caller takes what it does not know for a failure.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.contract.schemas import Comparison, Faults, Json, followed, same

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def faults(old: Json, new: Json) -> list[str]:
    """What a new document takes away from an old one, or changes in it, and where."""
    return list(_Documents(old, new).faults())


class _Documents(Comparison):
    """Two documents."""

    def faults(self) -> Faults:
        """What is wrong with the new document."""
        if _major(self.old) != _major(self.new):
            yield f"info.version: is {_major(self.new)} where {_major(self.old)} is kept: keep the new version's own"
        yield from same("security", self.old, self.new)
        yield from same("securitySchemes", self.old["components"], self.new["components"])
        for path, methods in self.old["paths"].items():
            for method in sorted(methods.keys() & _METHODS):
                place = f"{method.upper()} {path}"
                found = self.new["paths"].get(path, {}).get(method)
                if found is None:
                    yield f"{place}: is gone"
                else:
                    yield from self._operations(place, methods[method], found)

    def _operations(self, place: str, old: Json, new: Json) -> Faults:
        yield from same("operationId", old, new, place)
        yield from same("security", old, new, place)
        yield from self._parameters(place, _by_name(old), _by_name(new))
        yield from self._bodies(place, old.get("requestBody"), new.get("requestBody"))
        yield from self._responses(place, old["responses"], new["responses"])

    def _parameters(self, place: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Faults:
        for name, was in old.items():
            at = f"{place} {name}"
            if name not in new:
                yield f"{at}: is gone"
                continue
            if new[name].get("required") and not was.get("required"):
                yield f"{at}: is now required"
            yield from self.schemas(at, was["schema"], new[name]["schema"], sent=True)
        yield from (
            f"{place} {name}: is new and required" for name in new.keys() - old.keys() if new[name].get("required")
        )

    def _bodies(self, place: str, old: Json | None, new: Json | None) -> Faults:
        at = f"{place} body"
        if new is None:
            yield from [f"{at}: is gone"] if old else []
            return
        if new.get("required") and not (old or {}).get("required"):
            yield f"{at}: is now required"
        yield from self._contents(at, (old or {"content": {}})["content"], new["content"], sent=True)

    def _responses(self, place: str, old: Json, new: Json) -> Faults:
        for status, was in old.items():
            at = f"{place} {status}"
            if status not in new:
                yield f"{at}: is gone"
                continue
            yield from self._headers(at, was.get("headers", {}), new[status].get("headers", {}))
            yield from self._contents(at, was.get("content", {}), new[status].get("content", {}), sent=False)
        yield from (f"{place} {status}: is a new success" for status in new.keys() - old.keys() if status < "400")

    def _headers(self, place: str, old: Json, new: Json) -> Faults:
        for name, header in old.items():
            at = f"{place} {name}"
            if name not in new:
                yield f"{at}: is gone"
                continue
            was, found = followed(header, self.old), followed(new[name], self.new)
            if was.get("required") and not found.get("required"):
                yield f"{at}: may now be absent"
            yield from self.schemas(at, was["schema"], found["schema"], sent=False)

    def _contents(self, place: str, old: Json, new: Json, *, sent: bool) -> Faults:
        for media_type, was in old.items():
            at = f"{place} {media_type}"
            if media_type in new:
                yield from self.schemas(at, was.get("schema", {}), new[media_type].get("schema", {}), sent=sent)
            else:
                yield f"{at}: is gone"
        if not sent:
            yield from (f"{place} {media_type}: is a new form of an answer" for media_type in new.keys() - old.keys())


def _major(document: Json) -> str:
    return str(document["info"]["version"]).partition(".")[0]


def _by_name(operation: Json) -> dict[str, Json]:
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", ())}
