import {
  FRAME_OVERHEAD_BYTES,
  FrameType,
  MAX_PAYLOAD_BYTES,
  TOPIC_OFFSET,
} from '../../internal/protocol/frame/frame.ts';
import { invalidPayload, isBytes } from './checks.ts';
import { TinymqError } from './errors.ts';

const SLAB_BYTES = 64 * 1024;
/** Topics whose bytes are remembered. */
const REMEMBERED_TOPICS = 4096;
/** Up to this many characters, a loop over them is faster than the platform's encoder. */
const SHORT_TEXT_CHARACTERS = 64;

const utf8 = new TextEncoder();

/**
 * Gathers PUBLISH frames one behind the other, so that many of them become one write. Nothing is made for a
 * message: its fields go straight into a slab, and a slab that was handed out is never written again.
 */
export class Outbox {
  readonly #clientId: Uint8Array;
  readonly #topics = new Map<string, Uint8Array>();
  readonly #checkTopic: (topic: string) => void;
  #lastTopic: string | undefined;
  #lastTopicBytes = new Uint8Array(0);

  #slab = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #full: Uint8Array[] = [];
  #fullBytes = 0;
  /** Those of {@link #full} that are no messages. */
  readonly #requests = new Set<Uint8Array>();

  /** @param checkTopic throws where a topic may not be published to; asked once for each that is remembered. */
  constructor(clientId: string, checkTopic: (topic: string) => void) {
    this.#clientId = utf8.encode(clientId);
    this.#checkTopic = checkTopic;
  }

  /** Bytes that nobody has taken yet. */
  get bytes(): number {
    return this.#fullBytes + this.#end - this.#start;
  }

  /** Whether a slab is full, so that it is time to write. */
  get hasFullSlab(): boolean {
    return this.#full.length > 0;
  }

  /**
   * Adds a message.
   *
   * @throws TinymqError `invalid-payload`, `message-too-large`, and what `checkTopic` throws.
   */
  add(topic: string, payload: string | Uint8Array): void {
    if (typeof payload !== 'string' && !isBytes(payload)) throw invalidPayload(payload);
    const topicBytes = topic === this.#lastTopic ? this.#lastTopicBytes : this.#bytesOf(topic);
    // A character of UTF-16 takes at most three bytes of UTF-8.
    const payloadRoom = typeof payload === 'string' ? payload.length * 3 : payload.length;
    const room = FRAME_OVERHEAD_BYTES + topicBytes.length + payloadRoom + this.#clientId.length;
    if (this.#slab.length - this.#end < room) {
      if (room > SLAB_BYTES) {
        this.#addLarge(topicBytes, typeof payload === 'string' ? utf8.encode(payload) : payload);
        return;
      }
      this.#newSlab(SLAB_BYTES);
    }
    this.#write(topicBytes, payload);
  }

  /** Adds a message that is a frame already. */
  addFrame(frame: Uint8Array): void {
    this.#seal();
    this.#full.push(frame);
    this.#fullBytes += frame.length;
  }

  /** Takes messages out that were added as frames. */
  removeFrames(frames: ReadonlySet<Uint8Array>): void {
    for (const chunk of this.#full) if (frames.has(chunk)) this.#fullBytes -= chunk.length;
    this.#full = this.#full.filter((chunk) => !frames.has(chunk));
  }

  /** Adds a request, in order with the messages. */
  addRequest(frame: Uint8Array): void {
    this.#seal();
    this.#full.push(frame);
    this.#fullBytes += frame.length;
    this.#requests.add(frame);
  }

  /** Forgets the requests: they belonged to a connection that is gone. The messages stay. */
  dropRequests(): void {
    for (const { length } of this.#requests) this.#fullBytes -= length;
    this.#full = this.#full.filter((chunk) => !this.#requests.has(chunk));
    this.#requests.clear();
  }

  /** Hands out everything. */
  take(): Uint8Array[] {
    this.#seal();
    return this.takeFull();
  }

  /** Hands out the slabs that are full, and leaves the one that is being filled. */
  takeFull(): Uint8Array[] {
    const chunks = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    this.#requests.clear();
    return chunks;
  }

  /** A large message has a slab of exactly its size: what was left of a larger one would keep all of it alive. */
  #addLarge(topicBytes: Uint8Array, payload: Uint8Array): void {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      const problem = `payload of ${payload.length} bytes; at most ${MAX_PAYLOAD_BYTES} fit`;
      throw new TinymqError('message-too-large', problem);
    }
    this.#newSlab(FRAME_OVERHEAD_BYTES + topicBytes.length + payload.length + this.#clientId.length);
    this.#write(topicBytes, payload);
    this.#seal();
  }

  /** There is room. */
  #write(topicBytes: Uint8Array, payload: string | Uint8Array): void {
    const slab = this.#slab;
    let at = this.#end;
    slab[at] = FrameType.publish;
    slab[at + 1] = topicBytes.length >>> 8;
    slab[at + 2] = topicBytes.length;
    at = copy(topicBytes, slab, at + TOPIC_OFFSET);
    const payloadStart = at + 4;
    const payloadEnd =
      typeof payload === 'string' ? encode(payload, slab, payloadStart) : copy(payload, slab, payloadStart);
    const payloadLength = payloadEnd - payloadStart;
    slab[at] = payloadLength >>> 24;
    slab[at + 1] = payloadLength >>> 16;
    slab[at + 2] = payloadLength >>> 8;
    slab[at + 3] = payloadLength;
    slab[payloadEnd] = this.#clientId.length >>> 8;
    slab[payloadEnd + 1] = this.#clientId.length;
    this.#end = copy(this.#clientId, slab, payloadEnd + 2);
  }

  #bytesOf(topic: string): Uint8Array {
    let bytes = this.#topics.get(topic);
    if (bytes === undefined) {
      this.#checkTopic(topic);
      bytes = utf8.encode(topic);
      if (this.#topics.size >= REMEMBERED_TOPICS) this.#topics.clear();
      this.#topics.set(topic, bytes);
    }
    this.#lastTopic = topic;
    this.#lastTopicBytes = bytes as Uint8Array<ArrayBuffer>;
    return bytes;
  }

  #newSlab(size: number): void {
    this.#seal();
    this.#slab = new Uint8Array(size);
    this.#start = 0;
    this.#end = 0;
  }

  #seal(): void {
    if (this.#end === this.#start) return;
    this.#full.push(this.#slab.subarray(this.#start, this.#end));
    this.#fullBytes += this.#end - this.#start;
    this.#start = this.#end;
  }
}

/** Copies short fields by a loop, which is faster than the call; returns where they end. */
function copy(from: Uint8Array, into: Uint8Array, at: number): number {
  if (from.length <= SHORT_TEXT_CHARACTERS) {
    for (let index = 0; index < from.length; index++) into[at + index] = from[index];
  } else {
    into.set(from, at);
  }
  return at + from.length;
}

/** Writes text as UTF-8; there is room. Returns where it ends. */
function encode(text: string, into: Uint8Array, at: number): number {
  if (text.length <= SHORT_TEXT_CHARACTERS) {
    let index = 0;
    for (; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) break;
      into[at + index] = code;
    }
    if (index === text.length) return at + index;
  }
  return at + utf8.encodeInto(text, into.subarray(at)).written;
}
