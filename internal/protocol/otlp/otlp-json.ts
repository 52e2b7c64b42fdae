import type { FieldType, MessageType, NewMessageOf } from '../grpc/schema.ts';

/**
 * A message of OTLP as JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. Integers of 64 bits are texts,
 * and bytes, which are ids, are hexadecimal.
 */
export function otlpJson<T extends MessageType>(type: T, value: NewMessageOf<T>): string {
  return JSON.stringify(objectOf(type, value as Values));
}

type Values = Readonly<Record<string, unknown>>;

function objectOf(type: MessageType, value: Values): object {
  const object: Record<string, unknown> = {};
  for (const [name, { type: of, isRepeated }] of Object.entries(type.fields)) {
    const given = value[name];
    if (given === undefined) continue;
    object[name] = isRepeated ? (given as unknown[]).map((each) => jsonOf(of, each)) : jsonOf(of, given);
  }
  return object;
}

function jsonOf(type: FieldType, value: unknown): unknown {
  if (typeof type === 'object') return type.kind === 'message' ? objectOf(type, value as Values) : value;
  if (type === 'int64' || type === 'fixed64') return String(value);
  return type === 'bytes' ? Buffer.from(value as Uint8Array).toString('hex') : value;
}
