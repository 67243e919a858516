// The HTTP messages that the CloudEvents SDK for JavaScript makes of the events on standard input.
//
// node message.mjs < events.json     [{…attributes, data or data_base64}, …] → [{binary, structured}, …]
// Each message is {headers, body_base64}. Sending is left to the caller, who signs it.

import { CloudEvent, HTTP } from "cloudevents";
import { text } from "node:stream/consumers";

function event({ data_base64, ...attributes }) {
  const data = data_base64 === undefined ? attributes.data : new Uint8Array(Buffer.from(data_base64, "base64"));
  return new CloudEvent({ ...attributes, data });
}

function written({ headers, body }) {
  const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
  return { headers, body_base64: bytes.toString("base64") };
}

const events = JSON.parse(await text(process.stdin)).map(event);
const messages = events.map((each) => ({
  binary: written(HTTP.binary(each)),
  structured: written(HTTP.structured(each)),
}));
process.stdout.write(JSON.stringify(messages));
