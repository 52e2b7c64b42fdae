import { copyRun } from '../../lib/bytes.ts';
import { ENVELOPE_BYTES, writeEnvelope } from '../grpc/envelope.ts';
import { varintSize, writeVarint } from '../grpc/write-message.ts';

/*
 * Hand-written routes for the three answers that come in great numbers; a test compares them with the table.
 *
 *     ConsumeResponse, RetrievedMessage:   0a length message   10 offset
 *     ProduceResponse:                     08 offset
 */

/** A ProduceResponse with its envelope. Offsets are 0 or more. */
export function encodeProduceResponse(offset: number): Uint8Array {
  const size = offset === 0 ? 0 : 1 + varintSize(offset);
  const into = new Uint8Array(ENVELOPE_BYTES + size);
  const at = writeEnvelope(into, 0, size);
  if (offset !== 0) {
    into[at] = OFFSET_OF_PRODUCE_RESPONSE;
    writeVarint(into, at + 1, offset);
  }
  return into;
}

/** The heartbeat of StreamConsume with its envelope: offset -1, no message. */
export const HEARTBEAT = Uint8Array.of(
  ...[0, 0, 0, 0, 11],
  0x10,
  ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
);

/**
 * Writes messages of a log one behind the other into few buffers: short ones are copied, long ones stay where they lie.
 * Buffers that were taken are never written again.
 */
export class MessagesWriter {
  readonly #copiedBytes: number;
  #slab: Uint8Array = NOTHING;
  #from = 0;
  #at = 0;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** @param copiedBytes messages up to this size are copied. */
  constructor(copiedBytes: number) {
    this.#copiedBytes = copiedBytes;
  }

  /** What was written and not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Makes room for `bytes` at once where little is left; without it room grows by itself. */
  reserve(bytes: number): void {
    if (this.#slab.length - this.#at < bytes) this.#renew(bytes);
  }

  /** A ConsumeResponse with its envelope. */
  consumeResponse(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const size = bodySize(end - start, offset);
    this.#room(end - start);
    this.#at = writeEnvelope(this.#slab, this.#at, size);
    this.#body(bytes, start, end, offset);
    this.#bytes += ENVELOPE_BYTES + size;
  }

  /** A RetrievedMessage as the next of a BulkRetrieveResponse. */
  retrievedMessage(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const size = bodySize(end - start, offset);
    this.#room(end - start);
    const before = this.#at;
    this.#slab[this.#at++] = MESSAGES_OF_BULK_RESPONSE;
    this.#at = writeVarint(this.#slab, this.#at, size);
    this.#bytes += this.#at - before + size;
    this.#body(bytes, start, end, offset);
  }

  /** Everything written since the last call. */
  take(): Uint8Array[] {
    this.#cut();
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#bytes = 0;
    return pieces;
  }

  #body(bytes: Uint8Array, start: number, end: number, offset: number): void {
    const length = end - start;
    if (length > 0) {
      this.#slab[this.#at++] = MESSAGE;
      this.#at = writeVarint(this.#slab, this.#at, length);
      if (length > this.#copiedBytes) {
        this.#cut();
        this.#pieces.push(bytes.subarray(start, end));
      } else {
        this.#at = copyRun(bytes, start, end, this.#slab, this.#at);
      }
    }
    this.#slab[this.#at++] = OFFSET;
    this.#at = writeVarint(this.#slab, this.#at, offset);
  }

  #room(length: number): void {
    const needed = MOST_AROUND_BYTES + (length > this.#copiedBytes ? 0 : length);
    if (needed > this.#slab.length - this.#at) this.#renew(Math.max(needed, SLAB_BYTES));
  }

  #renew(bytes: number): void {
    this.#cut();
    this.#slab = Buffer.allocUnsafeSlow(bytes);
    this.#from = this.#at = 0;
  }

  #cut(): void {
    if (this.#at > this.#from) this.#pieces.push(this.#slab.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }
}

const MESSAGE = 0x0a;
const OFFSET = 0x10;
const OFFSET_OF_PRODUCE_RESPONSE = 0x08;
const MESSAGES_OF_BULK_RESPONSE = 0x0a;
const NOTHING = new Uint8Array(0);
/** Envelope, tags, two lengths of up to five bytes, an offset of up to eight. */
export const MOST_AROUND_BYTES = 5 + 3 + 10 + 8;
const SLAB_BYTES = 16 * 1024;

function bodySize(length: number, offset: number): number {
  return (length === 0 ? 0 : 1 + varintSize(length) + length) + 1 + varintSize(offset);
}
