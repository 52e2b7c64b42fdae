import { requestOf } from './grpc-client.ts';
import { callHeaders, Flag, frame, headerBlock, Type } from './raw-http2.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const METHODS = [
  'Connect',
  'Produce',
  'Consume',
  'StreamProduce',
  'StreamConsume',
  'BulkRetrieve',
  'Nothing',
];

/** Numbers that look random and are the same again for the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to before `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  isOneIn(count: number): boolean {
    return this.below(count) === 0;
  }
}

/** What a client says on one connection, some of it changed so that it is wrong in one way or another. */
export interface Conversation {
  /** In the pieces in which it is sent. */
  pieces: Buffer[];
  frames: number;
}

/** Makes conversations about a topic `t` that look like those of clients, and spoils them here and there. */
export class Mutants {
  readonly #random: Random;
  #nextStream = 1;
  /** Streams that the client has not ended. */
  #open: number[] = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  conversation(): Conversation {
    const random = this.#random;
    this.#nextStream = 1;
    this.#open = [];
    const frames = [frame(Type.settings, 0, 0, this.#settings())];
    const count = 10 + random.below(190);
    while (frames.length < count) frames.push(...this.#next());
    const spoilt = frames.flatMap((sent) => (random.isOneIn(60) ? this.#mutate(sent) : [sent]));
    const preface = random.isOneIn(100) ? this.#flip(PREFACE) : PREFACE;
    return { pieces: this.#cut(Buffer.concat([preface, ...spoilt])), frames: spoilt.length };
  }

  #next(): Buffer[] {
    const random = this.#random;
    if (random.isOneIn(60)) return [this.#rare()];
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        return this.#call();
      case 3:
        return this.#moreContent();
      case 4:
        return this.#reset();
      case 5:
        return [frame(Type.windowUpdate, 0, random.isOneIn(2) ? 0 : this.#anyStream(), this.#increment())];
      case 6:
        return [frame(Type.ping, this.#flagOrNone(Flag.ack), 0, Buffer.alloc(8, random.below(256)))];
      default:
        return [frame(Type.settings, 0, 0, this.#settings())];
    }
  }

  #moreContent(): Buffer[] {
    const stream = this.#random.of(this.#open);
    if (stream === undefined) return this.#call();
    const flags = this.#flagOrNone(Flag.endStream);
    if (flags !== 0) this.#ended(stream);
    return [frame(Type.data, flags, stream, this.#content())];
  }

  #reset(): Buffer[] {
    const stream = this.#random.of(this.#open);
    if (stream === undefined) return this.#call();
    this.#ended(stream);
    return [frame(Type.reset, 0, stream, uint32(this.#random.of([0, 2, 8])))];
  }

  #ended(stream: number): void {
    this.#open = this.#open.filter((open) => open !== stream);
  }

  #rare(): Buffer {
    const random = this.#random;
    const stream = this.#anyStream();
    switch (random.below(5)) {
      case 0:
        return frame(Type.priority, 0, stream, Buffer.concat([uint32(random.below(40)), Buffer.of(16)]));
      case 1:
        return frame(Type.goaway, 0, 0, Buffer.concat([uint32(0), uint32(random.below(14))]));
      case 2:
        return frame(random.below(256), random.below(256), stream, this.#bytes(random.below(40)));
      case 3:
        return frame(
          Type.headers,
          Flag.endHeaders | Flag.endStream,
          stream,
          headerBlock({ 'x-trailer': 'x' }),
        );
      default:
        return frame(Type.headers, random.below(256), this.#newStream(), this.#bytes(random.below(60)));
    }
  }

  /** A call in one frame of HEADERS or in several, with its request, and perhaps with its end. */
  #call(): Buffer[] {
    const random = this.#random;
    const stream = this.#newStream();
    const method = random.of(METHODS);
    const more = random.of<Record<string, string>>([
      {},
      { 'grpc-timeout': random.of(['1m', '1S', '0n', 'x']) },
      { 'grpc-encoding': 'gzip' },
      { 'content-length': String(random.below(30)) },
    ]);
    const block = callHeaders(`/smq.SuhaibMessageQueue/${method}`, more);
    const cut = random.isOneIn(6) ? 1 + random.below(block.length - 1) : block.length;
    const isWhole = cut === block.length;
    const frames = [frame(Type.headers, isWhole ? Flag.endHeaders : 0, stream, block.subarray(0, cut))];
    if (!isWhole) frames.push(frame(Type.continuation, Flag.endHeaders, stream, block.subarray(cut)));
    const isLast = random.isOneIn(2) ? Flag.endStream : 0;
    const hasContent = !random.isOneIn(4);
    if (hasContent) frames.push(frame(Type.data, isLast, stream, this.#content(method)));
    if (!hasContent || isLast === 0) this.#open.push(stream);
    return frames;
  }

  #content(method = this.#random.of(METHODS)): Uint8Array {
    const random = this.#random;
    if (random.isOneIn(8) || method === 'Nothing') return this.#bytes(random.below(60));
    const large = random.isOneIn(50) ? 4_000 : 40;
    const request = {
      topic: random.isOneIn(9) ? 'none' : 't',
      offset: random.below(9),
      limit: random.below(9),
    };
    const message = { ...request, message: this.#bytes(random.below(large)) };
    return requestOf(method, method.endsWith('Produce') ? { topic: 't', message: message.message } : request);
  }

  #settings(): Buffer {
    const random = this.#random;
    const entries = Array.from({ length: random.below(4) }, () => {
      const entry = Buffer.alloc(6);
      entry.writeUInt16BE(random.below(8));
      entry.writeUInt32BE(random.of([0, 1, 4_096, 16_384, 65_535, 2 ** 20]), 2);
      return entry;
    });
    return Buffer.concat(entries);
  }

  #mutate(sent: Buffer): Buffer[] {
    const random = this.#random;
    switch (random.below(7)) {
      case 0:
        return [];
      case 1:
        return [sent, sent];
      case 2:
        return [sent.subarray(0, random.below(sent.length))];
      case 3:
        return [Buffer.concat([sent, this.#bytes(1 + random.below(20))])];
      case 4: {
        const relabelled = Buffer.from(sent);
        relabelled[3] = random.below(11);
        return [relabelled];
      }
      case 5: {
        const moved = Buffer.from(sent);
        moved.writeUInt32BE(random.of([0, 1, 2, this.#nextStream, 2 ** 31 - 1]), 5);
        return [moved];
      }
      default:
        return [this.#flip(sent)];
    }
  }

  #flip(bytes: Buffer): Buffer {
    const random = this.#random;
    const flipped = Buffer.from(bytes);
    for (let count = 1 + random.below(3); count > 0; count--) {
      flipped[random.below(flipped.length)] ^= 1 << random.below(8);
    }
    return flipped;
  }

  #cut(bytes: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = this.#random.isOneIn(3)
        ? at + 1 + this.#random.below(40)
        : at + 1_000 + this.#random.below(9_000);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    return pieces;
  }

  #newStream(): number {
    const stream = this.#nextStream;
    this.#nextStream += this.#random.isOneIn(99) ? 6 : 2;
    return stream;
  }

  #anyStream(): number {
    // Those that the client skipped count as well.
    return 1 + 2 * this.#random.below(Math.max(1, this.#nextStream >> 1));
  }

  #increment(): Buffer {
    return uint32(
      this.#random.of([1, 100, 65_535, 2 ** 20, 2 ** 20, this.#random.isOneIn(20) ? 2 ** 31 - 1 : 7]),
    );
  }

  #flagOrNone(flag: number): number {
    return this.#random.isOneIn(3) ? flag : 0;
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#random.below(256)));
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
