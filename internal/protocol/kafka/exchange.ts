import { codecOf } from './codec.ts';
import { requestHeader, requestHeaderVersion, responseHeader, responseHeaderVersion } from './headers.ts';
import { KafkaProtocolError } from './protocol-error.ts';
import { KafkaReader, MAX_ELEMENTS } from './reader.ts';
import type { Api, InputOf, RequestOf, ResponseOf, ValueOf } from './schema.ts';
import { KafkaWriter } from './writer.ts';

/** The size that stands before every request and response, in bytes, itself not included. */
export const SIZE_BYTES = 4;

/** The fields that a request begins with in every version of its header. */
export interface RequestStart {
  apiKey: number;
  apiVersion: number;
  correlationId: number;
}

/**
 * Reads what is needed to choose the schema of a request.
 *
 * @param request without the size before it.
 * @throws KafkaProtocolError `truncated`.
 */
export function peekRequest(request: Uint8Array): RequestStart {
  const reader = new KafkaReader(request);
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32() };
}

/** A request that was read. */
export interface DecodedRequest<A extends Api> {
  header: ValueOf<typeof requestHeader>;
  body: RequestOf<A>;
}

/**
 * Reads a request of this API in the version that it says.
 *
 * @param request without the size before it.
 * @param maxElements how many list elements it may have in all.
 * @throws KafkaProtocolError `unsupported-version` for a version without a schema; `invalid-length` for too many elements.
 */
export function decodeRequest<A extends Api>(
  api: A,
  request: Uint8Array,
  maxElements = MAX_ELEMENTS,
): DecodedRequest<A> {
  const { apiKey, apiVersion } = peekRequest(request);
  if (apiKey !== api.key) {
    throw new KafkaProtocolError('unsupported-version', `API ${apiKey} instead of ${api.name}`, 0);
  }
  const body = codecOf<A['request']>(api.request, apiVersion);
  const reader = new KafkaReader(request, 0, maxElements);
  const header = codecOf(requestHeader, requestHeaderVersion(api, apiVersion)).read(reader);
  return { header, body: body.read(reader) };
}

/**
 * Writes a response with its size and header, as the chunks of one write.
 *
 * @throws KafkaProtocolError for what this version cannot carry.
 */
export function encodeResponse<A extends Api>(
  api: A,
  version: number,
  correlationId: number,
  body: ResponseOf<A>,
): Uint8Array[] {
  const writer = new KafkaWriter();
  writer.int32(0);
  codecOf(responseHeader, responseHeaderVersion(api, version)).write(writer, { correlationId });
  codecOf<A['response']>(api.response, version).write(writer, body);
  return withSize(writer);
}

/**
 * Writes a request with its size and header, as the chunks of one write.
 *
 * @throws KafkaProtocolError for what this version cannot carry.
 */
export function encodeRequest<A extends Api>(
  api: A,
  version: number,
  { correlationId, clientId }: { correlationId: number; clientId: string | null },
  body: InputOf<A['request']>,
): Uint8Array[] {
  const writer = new KafkaWriter();
  writer.int32(0);
  const header = { apiKey: api.key, apiVersion: version, correlationId, clientId };
  codecOf(requestHeader, requestHeaderVersion(api, version)).write(writer, header);
  codecOf<A['request']>(api.request, version).write(writer, body);
  return withSize(writer);
}

/** A response that was read. */
export interface DecodedResponse<A extends Api> {
  correlationId: number;
  body: ValueOf<A['response']>;
}

/**
 * Reads a response to a request that was sent in this version.
 *
 * @param response without the size before it.
 * @throws KafkaProtocolError
 */
export function decodeResponse<A extends Api>(
  api: A,
  version: number,
  response: Uint8Array,
): DecodedResponse<A> {
  const reader = new KafkaReader(response);
  const { correlationId } = codecOf(responseHeader, responseHeaderVersion(api, version)).read(reader);
  return { correlationId, body: codecOf<A['response']>(api.response, version).read(reader) };
}

/** Bytes with their size before them, as the chunks of one write. */
export function withSizeBefore(bytes: Uint8Array): Uint8Array[] {
  const size = Buffer.alloc(SIZE_BYTES);
  size.writeInt32BE(bytes.length);
  return [size, bytes];
}

/** Fills in the size, for which room was left at the beginning. */
function withSize(writer: KafkaWriter): Uint8Array[] {
  const size = writer.length - SIZE_BYTES;
  const chunks = writer.finish();
  const first = chunks[0]!;
  first[0] = size >>> 24;
  first[1] = size >>> 16;
  first[2] = size >>> 8;
  first[3] = size;
  return chunks;
}
