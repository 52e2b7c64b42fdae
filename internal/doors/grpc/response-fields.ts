import { encodeStatusMessage, Status, type StatusCode } from '../../protocol/grpc/status.ts';
import { HeaderField } from '../../protocol/http2/header-field.ts';
import type { EncodedField } from '../../protocol/http2/hpack/encoder.ts';
import { ENCODINGS } from './expander.ts';

/** A field that many responses have, which connections remember. */
export function repeated(name: string, value: string): EncodedField {
  return { field: new HeaderField(name, value), isRepeated: true };
}

export function once(name: string, value: string): EncodedField {
  return { field: new HeaderField(name, value), isRepeated: false };
}

export const RESPONSE_FIELDS: readonly EncodedField[] = [
  repeated(':status', '200'),
  repeated('content-type', 'application/grpc'),
];

export const OK_TRAILERS: readonly EncodedField[] = [repeated('grpc-status', '0')];

/** A client that compressed in another way may try one of these. */
export const ACCEPTED_ENCODINGS = once('grpc-accept-encoding', ['identity', ...ENCODINGS].join(','));

/** The trailers of a call that failed. */
export function trailersOf(status: StatusCode, message: string): readonly EncodedField[] {
  return [statusFieldOf(status), once('grpc-message', encodeStatusMessage(message))];
}

const STATUS_FIELDS = new Map(
  Object.values(Status).map((status) => [status, repeated('grpc-status', String(status))]),
);

function statusFieldOf(status: StatusCode): EncodedField {
  return STATUS_FIELDS.get(status)!;
}
