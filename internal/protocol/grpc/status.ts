/** The status codes of gRPC, by the names of its specification. */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type StatusCode = (typeof Status)[keyof typeof Status];

/** A call that ends with another status than OK. The message is what the client is told. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly status: StatusCode;

  constructor(status: StatusCode, message: string) {
    super(message.length > MAX_MESSAGE_CHARACTERS ? `${message.slice(0, MAX_MESSAGE_CHARACTERS)}…` : message);
    this.status = status;
  }
}

/** Clients take few KiB of trailers; a message may quote what a client sent, which may be long. */
const MAX_MESSAGE_CHARACTERS = 500;

/** A status message as the value of `grpc-message`: printable ASCII stays, all else is percent-encoded UTF-8. */
export function encodeStatusMessage(message: string): string {
  if (/^(?! )[ -$&-~]*(?<! )$/.test(message)) return message;
  let encoded = '';
  const bytes = Buffer.from(message);
  for (const [index, byte] of bytes.entries()) {
    // HTTP strips spaces at either end of a value.
    const isAtEnd = index === 0 || index === bytes.length - 1;
    const isPlain = byte > (isAtEnd ? SPACE : SPACE - 1) && byte <= 0x7e && byte !== PERCENT;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const SPACE = 0x20;
const PERCENT = 0x25;
