import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../../../access/access.ts';
import { problemSchema } from '../../../admin/problems.ts';
import type { Message } from '../../../broker/delivery/publication.ts';
import { BrokerError, quoted } from '../../../errors.ts';
import { jsonLine } from '../../../lib/printable.ts';
import { httpReadMessages, httpReadMessagesCeiling } from '../../../limits/http.ts';
import { parseStart, type ReplayStart } from '../../../live/replay-filter.ts';
import type { StoredMessage } from '../../../live/stored-messages.ts';
import type { HttpContext } from '../context.ts';
import type { HttpSocket } from '../http-socket.ts';
import { lastMessage, type PlacedMessage, readLogs } from '../log-reading.ts';
import { headersOf } from '../message-headers.ts';
import { messageJson, messageSchema, type Place } from '../message-json.ts';
import { OutgoingPace } from '../request-limits.ts';
import { topicOfPath } from '../topic-path.ts';
import { isSet } from './publish.ts';

interface ReadQuery {
  from?: string;
  limit: number;
  format: 'json' | 'raw';
  follow?: string;
  client?: string;
}

const JSON_LINES = 'application/x-ndjson';
/** Whole answers are gathered until there is so much of them. */
const CHUNK_CHARACTERS = 65_536;

/** `GET /topics/FILTER`: the last message of a topic, what is in its log, or a stream of what comes. */
export function routeRead(app: FastifyInstance, context: HttpContext): void {
  app.get<{ Querystring: ReadQuery }>('/topics/*', { schema: readSchema }, async (request, reply) => {
    const { from, follow, client } = request.query;
    const filter = topicOfPath(request.raw.url ?? '');
    const isStream = isSet(follow);
    const clientId = client ?? (isStream ? idOfStream() : undefined);
    const access = await context.accessOf(request, { clientId });
    context.parts.broker.checkMaySubscribe(access, filter);
    const start = from === undefined ? undefined : startOf(from, context.parts.clock.now());
    if (isStream) {
      const socket = context.socketOf(request.raw);
      return context.streams.open({ request, reply, access, socket, filter, start });
    }
    if (start !== undefined) return readLog(request, reply, context, { access, filter, start });
    return isWildcard(filter)
      ? sendRetained(request, reply, context, { access, filter })
      : sendLast(request, reply, context, filter);
  });
}

/** A client id has one connection; a stream that names none takes nobody's place. */
function idOfStream(): string {
  return `http-${randomUUID()}`;
}

/** @throws BrokerError `malformed-http-request`. */
function startOf(from: string, nowMs: number): ReplayStart {
  const start = parseStart(from, nowMs);
  if (start !== undefined) return start;
  const rule = 'earliest, latest, an offset, a time ago such as -1h, or an ISO time';
  throw new BrokerError('malformed-http-request', `from is ${rule}, not ${quoted(from)}`);
}

function isWildcard(filter: string): boolean {
  return /[+#]/.test(filter);
}

/** The messages of a log, a line each. */
function readLog(
  request: FastifyRequest<{ Querystring: ReadQuery }>,
  reply: FastifyReply,
  { parts, socketOf }: HttpContext,
  { access, filter, start }: { access: Access; filter: string; start: ReplayStart },
): FastifyReply {
  if (parts.kept === undefined) throw new BrokerError('no-log', 'this broker keeps no log');
  const { limit, format } = request.query;
  const asked = { filter, mayGet: (topic: string) => access.mayGet(topic) };
  const lineOf = format === 'json' ? jsonLineOf : rawLineOf;
  const socket = socketOf(request.raw);
  socket.isPaced = true;
  const pacing = { access, counted: socket.messages };
  const chunks = chunksOf(readLogs(parts.kept.logs, asked, start), limit, lineOf, pacing);
  return reply
    .type(format === 'json' ? JSON_LINES : 'application/octet-stream')
    .send(Readable.from(chunks, { objectMode: false }));
}

/** Lines in pieces that are worth a write each, no faster than the limits of the client allow. */
async function* chunksOf(
  messages: AsyncIterable<PlacedMessage>,
  limit: number,
  lineOf: (read: PlacedMessage) => Uint8Array,
  { access, counted }: { access: Access; counted: HttpSocket['messages'] },
): AsyncGenerator<Uint8Array> {
  let goOn: (() => void) | undefined;
  const pace = new OutgoingPace(access, () => goOn?.());
  let lines: Uint8Array[] = [];
  let bytes = 0;
  let left = limit;
  for await (const message of messages) {
    const line = lineOf(message);
    counted.sent++;
    lines.push(line);
    bytes += line.length;
    if (--left === 0) break;
    if (bytes < CHUNK_CHARACTERS) continue;
    yield Buffer.concat(lines);
    const isFree = pace.sent(bytes, lines.length);
    if (!isFree) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    lines = [];
    bytes = 0;
  }
  if (lines.length === 0) return;
  yield Buffer.concat(lines);
  pace.sent(bytes, lines.length);
}

const LINE_BREAK = Buffer.from('\n');

function jsonLineOf({ message, place }: PlacedMessage): Uint8Array {
  return Buffer.from(jsonLine(messageJson(message, place)));
}

function rawLineOf({ message }: PlacedMessage): Uint8Array {
  return Buffer.concat([message.payload, LINE_BREAK]);
}

/** The retained messages of a filter with wildcards. */
function sendRetained(
  request: FastifyRequest,
  reply: FastifyReply,
  { parts, socketOf }: HttpContext,
  { access, filter }: { access: Access; filter: string },
): FastifyReply {
  const { retained } = parts.broker;
  const counted = socketOf(request.raw).messages;
  function* lines(): Generator<string> {
    for (const message of retained.find(filter)) {
      if (!access.mayGet(message.topic)) continue;
      counted.sent++;
      yield jsonLine(messageJson(message));
    }
  }
  return reply.type(JSON_LINES).send(Readable.from(lines(), { objectMode: false }));
}

/** The retained message of a topic, or else the last one of its log: as it came, or as JSON for whoever prefers that. */
async function sendLast(
  request: FastifyRequest,
  reply: FastifyReply,
  context: HttpContext,
  topic: string,
): Promise<FastifyReply> {
  const last = await lastOf(context, topic);
  if (last === undefined) throw new BrokerError('no-message', `topic ${quoted(topic)} has no last message`);
  const { message, place } = last;
  context.socketOf(request.raw).messages.sent++;
  reply.header('vary', 'Accept').header('cache-control', 'no-cache');
  if (prefersJson(request.headers.accept)) {
    return reply.type('application/json').send(JSON.stringify(messageJson(message, place)));
  }
  return reply.headers(headersOf(message)).send(Buffer.from(message.payload));
}

interface LastMessage {
  message: Message & Partial<StoredMessage>;
  /** Undefined where it was retained. */
  place?: Place;
}

async function lastOf({ parts }: HttpContext, topic: string): Promise<LastMessage | undefined> {
  const retained = parts.broker.retained.get(topic);
  const isCurrent = retained?.expiresAtMs === undefined || retained.expiresAtMs > parts.clock.now();
  if (retained !== undefined && isCurrent) return { message: retained };
  const log = parts.kept?.logs.topic(parts.kept.logOf(topic) ?? '');
  return log === undefined ? undefined : lastMessage(log, topic);
}

/** Nobody's default: a program that says it wants JSON gets the message with all that is known of it. */
function prefersJson(accept: string | undefined): boolean {
  return accept !== undefined && /^application\/json\b/.test(accept.trim());
}

const readSchema = {
  operationId: 'read',
  tags: ['messages'],
  summary: 'Read messages: the last one, a log, or what comes',
  description:
    'Without parameters: the retained message of the topic, or the last one of its log; of a filter with wildcards all ' +
    'retained ones, a line of JSON each. With `from`: what the logs have, a line each. With `follow`: server-sent events; ' +
    'the id of an event is its place in the logs, so that Last-Event-ID goes on without a gap.',
  params: {
    type: 'object',
    properties: {
      '*': {
        type: 'string',
        pattern: '^(\\+|[^+#/\\u0000]*)(/(\\+|[^+#/\\u0000]*))*(/#)?$|^#$',
        description: 'A topic or a filter; # is written %23.',
      },
    },
    required: ['*'],
  },
  querystring: {
    type: 'object',
    properties: {
      from: {
        description: 'earliest, latest, an offset, a time ago such as -1h, or an ISO time.',
        anyOf: [
          { type: 'string', enum: ['earliest', 'latest'] },
          { type: 'string', pattern: '^\\d{1,15}$' },
          { type: 'string', pattern: '^-\\d{1,9}(\\.\\d{1,9})?[smhd]$' },
          { type: 'string', format: 'date' },
          { type: 'string', format: 'date-time' },
        ],
      },
      limit: {
        type: 'integer',
        minimum: 1,
        maximum: httpReadMessagesCeiling,
        default: httpReadMessages,
        description: 'The most messages of an answer.',
      },
      format: {
        type: 'string',
        enum: ['json', 'raw'],
        default: 'json',
        description: 'raw: the payloads alone, each ended by a line break.',
      },
      follow: { type: 'string', description: 'Answer with server-sent events, and go on with what comes.' },
      client: { type: 'string', minLength: 1, maxLength: 1_024, description: 'The client id.' },
    },
    additionalProperties: false,
  },
  response: {
    200: {
      description: 'The message, messages, or events.',
      content: {
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
        'application/json': { schema: messageSchema },
        [JSON_LINES]: { schema: { type: 'string', description: 'A message as JSON on each line.' } },
        'text/event-stream': { schema: { type: 'string', description: 'A message as JSON in each event.' } },
      },
    },
    default: problemSchema,
  },
} as const;
