import { FRAME_OVERHEAD_BYTES, FrameType, TOPIC_OFFSET } from '../../internal/protocol/frame/frame.ts';

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

  /** Adds a message. */
  add(topic: string, payload: string | Uint8Array): void {
    const topicBytes = topic === this.#lastTopic ? this.#lastTopicBytes : this.#bytesOf(topic);
    // A character of UTF-16 takes at most three bytes of UTF-8.
    const payloadRoom = typeof payload === 'string' ? payload.length * 3 : payload.length;
    const room = FRAME_OVERHEAD_BYTES + topicBytes.length + payloadRoom + this.#clientId.length;
    if (this.#slab.length - this.#end < room) this.#newSlab(room);
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

  /** Adds a frame of another kind, in order with the messages. */
  addFrame(frame: Uint8Array): void {
    this.#seal();
    this.#full.push(frame);
    this.#fullBytes += frame.length;
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
    return chunks;
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

  #newSlab(room: number): void {
    this.#seal();
    this.#slab = new Uint8Array(Math.max(SLAB_BYTES, room));
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
