import gzip
import json


def ev(n, **k):
    return dict(source="shop/checkout", event_type="order.paid", entity_id="order-1", event_time=f"2026-11-21T10:00:{n:02d}Z", payload={"n": n}) | k
def test_smoke(application):
    r = application.ingest(ev(1)); print(r.status_code, r.json_body); assert r.status_code == 201
    r = application.ingest(ev(1)); print(r.status_code, r.json_body); assert r.status_code == 200
    r = application.ingest([ev(i) for i in range(12)]+[{"a":1}, ev(3)]); print(r.status_code, r.json_body["counts"]); assert r.status_code == 207
    r = application.ingest(ev(1, idempotency_key="k")); eid=r.json_body["event_id"]
    r = application.ingest(ev(2, idempotency_key="k")); print(r.status_code, r.json_body); assert r.status_code == 409
    print(application.get(f"/events/{eid}").json_body)
    r=application.get(f"/events/{eid}/raw"); print(r.status_code, r.body, r.headers)
    r = application.ingest(gzip.compress(json.dumps(ev(50)).encode()), headers={"Content-Encoding":"gzip"}); assert r.status_code==201
    rid = application.replay(entity_id="order-1", start_time="2026-11-21T00:00:00Z", end_time="2026-11-22T00:00:00Z")
    print(application.get(f"/replay/{rid}").json_body)
    print(application.get("/aggregates", entity_id="order-1", day="2026-11-21").json_body)
    rid = application.replay(source="shop/checkout", event_type="order.paid", day="2026-11-21")
    print(application.get(f"/replay/{rid}").json_body)
    print(application.get("/aggregates", entity_id="order-1", day="2026-11-21").json_body)
    print(application.request_replay(entity_id="x").json_body)
