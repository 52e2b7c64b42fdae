import type { Broker } from '../../broker/broker.ts';
import type { Source } from '../../broker/delivery/channel.ts';
import type { NodeOrigin } from '../../broker/delivery/origin.ts';
import { type Encoding, Publication } from '../../broker/delivery/publication.ts';
import { Receipt } from '../../broker/delivery/receipt.ts';
import type { TargetSet } from '../../broker/routing/targets.ts';
import { linkPacketBytes } from '../../limits/links.ts';
import { FrameCursor } from '../../protocol/frame/cursor.ts';
import { FrameType } from '../../protocol/frame/frame.ts';
import {
  type BeatPacket,
  decodeValues,
  type MessagesPacket,
  type MissingPacket,
  SectionKind,
} from './packets.ts';

export interface IncomingParts {
  readonly broker: Broker;
  readonly frames: Encoding;
  /** The number of the node that sends. */
  readonly from: number;
  /** What was in a packet is with its subscribers, and they have room. */
  taken(sequence: number): void;
  /** Packets with these numbers did not arrive. */
  missing(first: number, last: number): void;
  received(count: number): void;
}

/** What one other node sends, for the subscribers here. */
export class Incoming {
  readonly #parts: IncomingParts;
  readonly #origin: NodeOrigin;
  readonly #publication: Publication;
  readonly #cursor = new FrameCursor(linkPacketBytes);
  readonly #source: Source = {
    pause: () => void this.#pauses++,
    resume: () => {
      if (--this.#pauses === 0) this.#tellTaken();
    },
  };
  /** Subscribers that are full. */
  #pauses = 0;
  /** Packets that are with their subscribers, who have no room. */
  #unsaid: number[] = [];
  /** The number of the last packet that came, or is missing. */
  #last = 0;
  /** Packets that came, of which was not said that they are taken. */
  readonly #pending = new Set<number>();
  /** Packets that are missing, as far as the other node may wait for them. */
  #missing: MissingPacket[] = [];

  constructor(parts: IncomingParts) {
    this.#parts = parts;
    this.#origin = { kind: 'node', id: parts.from };
    this.#publication = new Publication(parts.frames, this.#origin);
  }

  /** @throws RangeError, SyntaxError, TypeError, FrameError, BrokerError where the packet is damaged. */
  take({ sequence, sections }: MessagesPacket): void {
    this.#noteSent(sequence - 1);
    this.#last = sequence;
    this.#pending.add(sequence);
    const receipt = new Receipt();
    receipt.hold();
    receipt.whenSettled(() => {
      this.#unsaid.push(sequence);
      if (this.#pauses === 0) this.#tellTaken();
    });
    let count = 0;
    try {
      for (const { kind, bytes } of sections) {
        count += kind === SectionKind.frames ? this.#takeFrames(bytes) : this.#takeValues(bytes, receipt);
      }
    } finally {
      // What is behind the damage does not come again.
      this.#parts.received(count);
      receipt.letGo();
    }
  }

  /** Says once more what the other node did not hear of packets. */
  noteBeat({ sent, oldest, overdue }: Pick<BeatPacket, 'sent' | 'oldest' | 'overdue'>): void {
    this.#noteSent(sent);
    this.#missing = this.#missing.filter(({ last }) => last >= oldest);
    for (const sequence of overdue) {
      if (this.#pending.has(sequence)) continue;
      const isMissing = this.#missing.some(({ first, last }) => first <= sequence && sequence <= last);
      if (isMissing) this.#parts.missing(sequence, sequence);
      else this.#parts.taken(sequence);
    }
  }

  /** So many packets were sent: in order, so what is not here of them is lost. The other node may have begun anew. */
  #noteSent(count: number): void {
    if (count > this.#last) {
      const missing = { first: this.#last + 1, last: count };
      this.#missing.push(missing);
      this.#parts.missing(missing.first, missing.last);
    } else if (count < this.#last) this.#missing = [];
    this.#last = count;
  }

  #tellTaken(): void {
    const sequences = this.#unsaid;
    this.#unsaid = [];
    for (const sequence of sequences) {
      this.#pending.delete(sequence);
      this.#parts.taken(sequence);
    }
  }

  /** Frames with the same targets are published together, where they lie. */
  #takeFrames(bytes: Uint8Array): number {
    const { broker } = this.#parts;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const cursor = this.#cursor;
    let count = 0;
    let targets: TargetSet | undefined;
    let start = 0;
    let inRun = 0;
    const publish = (end: number) => {
      if (targets === undefined) return;
      this.#publication.set(bytes, start, end, inRun);
      broker.publishRouted(this.#publication, targets, this.#source);
    };
    let at = 0;
    while (cursor.read(bytes, at, bytes.length)) {
      if (cursor.type !== FrameType.publish) throw new RangeError('a frame publishes nothing');
      const topic = broker.topic(view, cursor.topicStart, cursor.topicEnd);
      if (topic.targets !== targets) {
        publish(at);
        // What was published may have changed subscriptions.
        targets = broker.targetsOf(topic);
        start = at;
        inRun = 0;
      }
      broker.count(topic, 1);
      inRun++;
      count++;
      at = cursor.end;
    }
    publish(at);
    if (at < bytes.length) throw new RangeError('a section ends within a frame');
    return count;
  }

  #takeValues(bytes: Uint8Array, receipt: Receipt): number {
    const { broker } = this.#parts;
    let count = 0;
    for (const { message, group } of decodeValues(bytes)) {
      const publication = Publication.ofMessages([message], { origin: this.#origin, receipt });
      const targets = broker.routes.use(message.topic);
      if (group !== undefined) broker.publishRoutedToGroup(publication, group);
      else broker.publishRouted(publication, targets, this.#source);
      count++;
    }
    return count;
  }
}
