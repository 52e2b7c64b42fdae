import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import { traceBytesWaiting } from '../limits/observe.ts';

/** Begins to send events; returns what ends that. */
type Begin = (send: (event: unknown) => boolean, end: () => void) => () => void;

/**
 * Answers with server-sent events until one of both sides ends it. An event that its client does not take soon is not sent.
 *
 * @throws what `begin` throws; nothing is sent then.
 */
export function sendEvents(reply: FastifyReply, begin: Begin): void {
  const response = reply.raw;
  const send = (event: unknown) => {
    if (response.writableLength > traceBytesWaiting) return false;
    response.write(`data: ${JSON.stringify(event)}\n\n`);
    return true;
  };
  let hasEnded = false;
  const end = () => {
    if (hasEnded) return;
    hasEnded = true;
    stop();
    response.end();
  };
  const stop = begin(send, end);
  response.once('close', end);
  reply.hijack();
  const headers = reply.getHeaders() as OutgoingHttpHeaders;
  response.writeHead(200, { ...headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  // Clients see at once that it has begun.
  response.write(':\n\n');
}
