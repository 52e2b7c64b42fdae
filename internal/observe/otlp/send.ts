import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { systemReason } from '../../lib/system-reason.ts';
import { exportAnswerBytes, exportRetryMs } from '../../limits/observe.ts';
import { readMessage } from '../../protocol/grpc/read-message.ts';
import type { MessageType, NewMessageOf } from '../../protocol/grpc/schema.ts';
import { encodeMessage } from '../../protocol/grpc/write-message.ts';
import { ExportResponse } from '../../protocol/otlp/otlp.ts';
import { otlpJson } from '../../protocol/otlp/otlp-json.ts';
import type { Destination } from './settings.ts';

/** What a collector did not take of an export. */
export interface Rejected {
  readonly count: number;
  readonly message: string;
}

/**
 * Sends one export, and where the collector is not there or says that it has no time, again until the signal is aborted:
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp-response.
 *
 * @returns what the collector did not take, which is not sent again; undefined where it took all.
 * @throws Error where it was not exported.
 */
export async function send<T extends MessageType>(
  to: Destination,
  type: T,
  value: NewMessageOf<T>,
  signal: AbortSignal,
): Promise<Rejected | undefined> {
  const bytes = to.encoding === 'json' ? Buffer.from(otlpJson(type, value)) : encodeMessage(type, value);
  const body = to.isCompressed ? gzipSync(bytes) : bytes;
  for (let tries = 0; ; tries++) {
    try {
      const { status, retryAfter, answer } = await post(to, body, signal);
      if (status >= 200 && status <= 299) return rejectedIn(answer, to.encoding);
      throw new HttpStatusError(status, RETRYABLE.includes(status) ? waitMsOf(retryAfter, tries) : undefined);
    } catch (error) {
      const waitMs = error instanceof HttpStatusError ? error.waitMs : backoffMs(tries);
      if (waitMs === undefined || signal.aborted) throw error;
      // It says why it failed, and not that time was up while it waited.
      await wait(waitMs, undefined, { signal, ref: false }).catch(() => {
        throw error instanceof ExportError ? error : new ExportError(reasonOf(error));
      });
    }
  }
}

/** A collector that answers with anything else does not want the same again. */
const RETRYABLE: readonly number[] = [429, 502, 503, 504];

/** What is known of why it was not exported, whether or not time was up when it was. */
export class ExportError extends Error {}

/** Where each of several addresses failed, there is a code only. */
export function reasonOf(error: unknown): string {
  return systemReason(error) || String((error as NodeJS.ErrnoException).code);
}

class HttpStatusError extends ExportError {
  /** Undefined where another try is of no use. */
  readonly waitMs: number | undefined;

  constructor(status: number, waitMs: number | undefined) {
    super(`it answered with HTTP status ${status}`);
    this.waitMs = waitMs;
  }
}

/** `Retry-After`: seconds, or a time (RFC 9110, section 10.2.3). */
function waitMsOf(retryAfter: string | undefined, tries: number): number {
  const seconds = Number(retryAfter);
  const ms = Number.isFinite(seconds) ? 1_000 * seconds : Date.parse(retryAfter ?? '') - Date.now();
  return retryAfter === undefined || Number.isNaN(ms) ? backoffMs(tries) : Math.max(0, ms);
}

/** Between half of it and all, so that many brokers do not come at the same time. */
function backoffMs(tries: number): number {
  return exportRetryMs * 2 ** Math.min(tries, 10) * (0.5 + Math.random() / 2);
}

interface Answer {
  status: number;
  retryAfter: string | undefined;
  /** What it says; nothing where that is too long. */
  answer: Buffer;
}

/** Redirections are not followed: the headers are for this collector only. */
async function post(to: Destination, body: Uint8Array, signal: AbortSignal): Promise<Answer> {
  const { url, headers, encoding, isCompressed, tls } = to;
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    ...tls,
    method: 'POST',
    // A connection that is kept for a minute is closed by many collectors just when it is used again.
    agent: false,
    signal,
    headers: {
      'user-agent': 'tinymq',
      ...headers,
      'content-type': encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      'content-length': body.length,
      ...(isCompressed && { 'content-encoding': 'gzip' }),
    },
  });
  const answered = once(request, 'response');
  // One that breaks off after that fails the answer.
  request.on('error', () => {});
  request.end(body);
  const [response] = (await answered) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= exportAnswerBytes) chunks.push(chunk);
  });
  await once(response, 'end');
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    answer: bytes <= exportAnswerBytes ? Buffer.concat(chunks) : Buffer.alloc(0),
  };
}

/** An answer that nobody can read says nothing of what was not taken. */
function rejectedIn(answer: Buffer, encoding: Destination['encoding']): Rejected | undefined {
  try {
    const { count, message } = encoding === 'json' ? fromJson(answer) : fromProtobuf(answer);
    return count > 0 || message !== '' ? { count, message } : undefined;
  } catch {
    return undefined;
  }
}

function fromProtobuf(answer: Buffer): Rejected {
  const { partialSuccess } = readMessage(ExportResponse, answer);
  return { count: Number(partialSuccess?.rejected ?? 0), message: partialSuccess?.errorMessage ?? '' };
}

function fromJson(answer: Buffer): Rejected {
  const { partialSuccess = {} } = JSON.parse(answer.toString());
  const { rejectedSpans, rejectedDataPoints, errorMessage = '' } = partialSuccess;
  return { count: Number(rejectedSpans ?? rejectedDataPoints ?? 0), message: String(errorMessage) };
}
