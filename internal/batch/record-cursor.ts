import { RecordBatchError } from './batch-error.ts';

/**
 * Finds where the fields of a record lie, without making anything. A record, its integers zigzag varints:
 *
 *     length   attributes (1)   timestampDelta   offsetDelta   keyLength   key   valueLength   value
 *     headerCount   [ keyLength   key   valueLength   value ]...
 *
 * A length of -1 is null. One cursor may walk many batches; the fields are valid after {@link read}.
 */
export class RecordCursor {
  /** In milliseconds after the batch's baseTimestamp. */
  timestampDelta = 0;
  offsetDelta = 0;
  /** -1 for a null key. */
  keyStart = -1;
  keyEnd = -1;
  /** -1 for a null value. */
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  /** The start of the first header. */
  headersStart = 0;
  /** The end of the record, where the next one begins. */
  end = 0;

  #at = 0;
  #limit = 0;
  #index = 0;

  /**
   * Looks at the record at `at`, which has to end before `limit`, with all its headers.
   *
   * @param index its number in the batch, for errors.
   * @throws RecordBatchError `invalid-record`.
   */
  read(bytes: Uint8Array, at: number, limit: number, index: number): void {
    if (!this.#readPlain(bytes, at, limit)) this.#readAny(bytes, at, limit, index);
  }

  /**
   * The same for a record without headers whose numbers are short, as nearly all are: four times as fast. False for any other, and
   * for one that is wrong.
   */
  #readPlain(bytes: Uint8Array, start: number, limit: number): boolean {
    if (limit - start < PLAIN_BYTES) return false;
    const length = shortVarint(bytes, start);
    let at = start + (length & 3);
    const end = at + (length >>> 3);
    at++;
    const timestamp = shortVarint(bytes, at);
    at += timestamp & 3;
    const offset = shortVarint(bytes, at);
    at += offset & 3;
    const key = shortVarint(bytes, at);
    at += key & 3;
    const keyStart = at;
    if ((key & NUMBER_BITS) !== NULL_LENGTH) at += key >>> 3;
    if (at >= end || end > limit) return false;
    const value = shortVarint(bytes, at);
    at += value & 3;
    // Lengths are even, but for null.
    const isShort = length > 0 && timestamp > 0 && offset > 0 && key > 0 && value > 0;
    if (!isShort || (length & 4) !== 0 || (value & 4) !== 0) return false;
    const valueStart = at;
    at += value >>> 3;
    if (at !== end - 1 || bytes[at] !== 0) return false;
    const isKeyless = (key & NUMBER_BITS) === NULL_LENGTH;
    if (!isKeyless && (key & 4) !== 0) return false;
    this.timestampDelta = unzigzag(timestamp);
    this.offsetDelta = unzigzag(offset);
    this.keyStart = isKeyless ? -1 : keyStart;
    this.keyEnd = isKeyless ? -1 : keyStart + (key >>> 3);
    this.valueStart = valueStart;
    this.valueEnd = at;
    this.headerCount = 0;
    this.headersStart = end;
    this.end = end;
    return true;
  }

  #readAny(bytes: Uint8Array, at: number, limit: number, index: number): void {
    this.#at = at;
    this.#limit = limit;
    this.#index = index;
    const length = this.#readVarint(bytes);
    if (length < 0 || length > limit - this.#at) throw this.#invalid(`claims ${length} bytes`);
    const end = this.#at + length;
    this.#limit = end;
    // The attributes of a record have no meaning yet.
    this.#at += 1;
    this.timestampDelta = this.#readVarlong(bytes);
    this.offsetDelta = this.#readVarint(bytes);
    this.keyStart = this.#readSlice(bytes, 'key');
    this.keyEnd = this.keyStart < 0 ? -1 : this.#at;
    this.valueStart = this.#readSlice(bytes, 'value');
    this.valueEnd = this.valueStart < 0 ? -1 : this.#at;
    // -1 is what some producers write for none.
    const headerCount = this.#readVarint(bytes);
    if (headerCount < -1) throw this.#invalid(`has ${headerCount} headers`);
    this.headerCount = Math.max(0, headerCount);
    this.headersStart = this.#at;
    for (let left = headerCount; left > 0; left--) {
      if (this.#readSlice(bytes, 'header key') < 0) throw this.#invalid('has a header without a key');
      this.#readSlice(bytes, 'header value');
    }
    if (this.#at !== end) throw this.#invalid(`has ${end - this.#at} bytes too many`);
    this.end = end;
  }

  /** The headers of the record that was read, their keys as text and their values as views. */
  headers(bytes: Uint8Array): RecordHeader[] {
    const headers: RecordHeader[] = [];
    this.#at = this.headersStart;
    this.#limit = this.end;
    for (let left = this.headerCount; left > 0; left--) {
      const keyStart = this.#readSlice(bytes, 'header key');
      const key = utf8.decode(bytes.subarray(keyStart, this.#at));
      const valueStart = this.#readSlice(bytes, 'header value');
      headers.push({ key, value: valueStart < 0 ? null : bytes.subarray(valueStart, this.#at) });
    }
    return headers;
  }

  /** Passes over a length and as many bytes; where they begin, or -1 for null. */
  #readSlice(bytes: Uint8Array, what: string): number {
    const length = this.#readVarint(bytes);
    if (length < 0) {
      if (length !== -1) throw this.#invalid(`has a ${what} of ${length} bytes`);
      return -1;
    }
    if (length > this.#limit - this.#at) throw this.#invalid(`has a ${what} that is cut off`);
    const start = this.#at;
    this.#at += length;
    return start;
  }

  #readVarint(bytes: Uint8Array): number {
    if (this.#at >= this.#limit) throw this.#invalid('is cut off');
    const first = bytes[this.#at++];
    if (first < 0x80) return (first >>> 1) ^ -(first & 1);
    let raw = first & 0x7f;
    for (let shift = 7; ; shift += 7) {
      if (shift === 35) throw this.#invalid('has a number of more than five bytes');
      if (this.#at >= this.#limit) throw this.#invalid('is cut off');
      const byte = bytes[this.#at++];
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (raw >>> 1) ^ -(raw & 1);
    }
  }

  /** Up to ten bytes, of which those that fit 53 bits are accepted. */
  #readVarlong(bytes: Uint8Array): number {
    let raw = 0;
    let scale = 1;
    let isOdd = false;
    for (let count = 0; ; count++) {
      if (count === 10) throw this.#invalid('has a number of more than ten bytes');
      if (this.#at >= this.#limit) throw this.#invalid('is cut off');
      const byte = bytes[this.#at++];
      if (count === 0) isOdd = (byte & 1) === 1;
      raw += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    if (!Number.isSafeInteger(raw)) {
      throw new RecordBatchError(
        'invalid-timestamp',
        `record ${this.#index} has a time beyond 2^52 ms`,
        this.#index,
      );
    }
    return isOdd ? -(raw + 1) / 2 : raw / 2;
  }

  #invalid(what: string): RecordBatchError {
    return new RecordBatchError('invalid-record', `record ${this.#index} ${what}`, this.#index);
  }
}

/** The first numbers of a record, each of three bytes, and its attributes. */
const PLAIN_BYTES = 13;
/** A number of up to three bytes as it is on the wire, behind two bits that say how many. */
const NUMBER_BITS = ~3;
/** A length of -1. */
const NULL_LENGTH = 1 << 2;

/** A number of up to three bytes, with how many there are in its lowest two bits; -1 for a longer one. */
function shortVarint(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return (first << 2) | 1;
  const second = bytes[at + 1]!;
  const low = (first & 0x7f) | ((second & 0x7f) << 7);
  if (second < 0x80) return (low << 2) | 2;
  const third = bytes[at + 2]!;
  return third < 0x80 ? ((low | (third << 14)) << 2) | 3 : -1;
}

/** The value of a {@link shortVarint}. */
function unzigzag(packed: number): number {
  return (packed >>> 3) ^ -((packed >>> 2) & 1);
}

/** A name and a value beside a record's own. */
export interface RecordHeader {
  key: string;
  value: Uint8Array | null;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
