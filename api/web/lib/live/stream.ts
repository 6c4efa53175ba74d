/**
 * One connection to a view's stream. Server-sent events over `fetch`, because `EventSource` can't send the
 * Authorization header. Returns when the server ends it, which it does every so often; throws when it breaks off,
 * when nothing is heard for too long, when aborted.
 */
import { createParser } from "eventsource-parser";
import { unreachable } from "../api/problem";
import { request } from "../api/request";
import { decode, type StreamEvent } from "./events";

/** The server sends a heartbeat every second; this many missed ones mean the connection is dead. */
const SILENCE_MAX_MS = 5_000;

export async function follow(
  path: string,
  lastId: string | undefined,
  onEvent: (event: StreamEvent, id: string | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  };
  try {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastId !== undefined) headers["last-event-id"] = lastId;
    const response = await request(path, {
      headers,
      signal: AbortSignal.any([signal, silence.signal]),
      cache: "no-store",
    });
    if (!response.body) throw unreachable("the stream has no body");
    const parser = createParser({
      onEvent: (message) => {
        const event = decode(message.event, message.data);
        if (event) onEvent(event, message.id);
      },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      heard();
      parser.feed(chunk.value);
    }
  } finally {
    clearTimeout(timer);
  }
}
