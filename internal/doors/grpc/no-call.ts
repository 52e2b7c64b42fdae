import { Status } from '../../protocol/grpc/status.ts';
import { Http2Code } from '../../protocol/http2/http2-error.ts';
import type { RequestHead } from '../../protocol/http2/request-head.ts';
import type { Http2Stream } from './http2/stream.ts';
import { once, repeated, trailersOf } from './response-fields.ts';

/** The answer to a request that is none of gRPC's. */
export interface RequestRefusal {
  /** A status of HTTP (RFC 9110, section 15). */
  status: number;
  text: string;
}

const GRPC_TYPE = /^application\/grpc(?:[+;].*)?$/;

/** The refusal of what is no call of gRPC; undefined for what is one. */
export function refusalOf(head: RequestHead): RequestRefusal | undefined {
  if (head.method !== 'POST') return { status: 405, text: 'calls of gRPC are POST requests' };
  if (GRPC_TYPE.test(head.get('content-type') ?? '')) return undefined;
  return { status: 415, text: 'calls of gRPC have the content type application/grpc' };
}

/** Answers in HTTP, with a line for people. */
export function refuseRequest(stream: Http2Stream, { status, text }: RequestRefusal): void {
  const body = Buffer.from(`This port speaks gRPC: ${text}.\n`);
  const allowed = status === 405 ? [once('allow', 'POST')] : [];
  // The rules hold for a moment for the rest that the client sends: an answer that is early must not hide its faults.
  const timer = setTimeout(() => stream.reset(Http2Code.NO_ERROR), REQUEST_LEFT_OPEN_MS);
  stream.leavesRequestOpen = true;
  stream.handler = { data() {}, ended() {}, gone: () => clearTimeout(timer) };
  stream.respond([once(':status', String(status)), ...allowed, PLAIN_TEXT]);
  stream.write([body]);
  stream.end();
}

/** Answers a request whose fields are too many, for a client of gRPC and for any other (RFC 6585, section 5). */
export function refuseTooLarge(stream: Http2Stream, text: string): void {
  const status = [once(':status', '431'), repeated('content-type', 'application/grpc')];
  stream.respond([...status, ...trailersOf(Status.RESOURCE_EXHAUSTED, text)]);
  stream.end();
}

const REQUEST_LEFT_OPEN_MS = 500;
const PLAIN_TEXT = repeated('content-type', 'text/plain; charset=utf-8');
