import type { Source } from '../../broker/delivery/channel.ts';
import type { Encoding, Publication } from '../../broker/delivery/publication.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { Member } from '../../broker/routing/targets.ts';
import { HeldSources } from '../../lib/held-sources.ts';
import { copiedSliceBytes } from '../../limits/broker.ts';
import { askedPackets, linkPacketBytes, linkPatienceMs, linkWindowBytes } from '../../limits/links.ts';
import {
  type BeatPacket,
  encodeValues,
  messagesPacket,
  SECTION_HEAD_BYTES,
  type Section,
  SectionKind,
} from './packets.ts';

export interface PeerLinkParts {
  /** The encoding of plain messages, which may lie in packets as they came. */
  readonly frames: Encoding;
  send(packet: Uint8Array): void;
  /** So many messages were sent. */
  sent(count: number): void;
  /** So many messages did not go there, because it does not take them. */
  lost(count: number): void;
}

/** What somebody waits for, and so goes once more where it is lost. */
interface Awaited {
  readonly section: Section;
  readonly count: number;
  readonly receipt: Receipt;
}

/** A packet that is on its way. */
interface OnTheWay {
  readonly bytes: number;
  /** Messages in it. */
  readonly count: number;
  readonly awaited: readonly Awaited[];
}

/**
 * Another node as a receiver of its filters. What a turn brings leaves in one packet. So much may be on its way there; beyond that
 * publishers pause. A node that is heard meanwhile has subscribers that are full, and bounds that itself; for one that is silent messages
 * are dropped and counted.
 */
export class PeerLink implements Member {
  readonly isOfNode = true;
  readonly #parts: PeerLinkParts;
  readonly #feeders = new HeldSources();
  readonly #onTheWay = new Map<number, OnTheWay>();
  #sections: Section[] = [];
  #gatheredBytes = 0;
  #gathered = 0;
  #awaited: Awaited[] = [];
  #isScheduled = false;
  #windowBytes = 0;
  #sequence = 0;
  /** The last packet before the beat before. */
  #beaten = 0;
  #isDropping = false;
  #isClosed = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(parts: PeerLinkParts) {
    this.#parts = parts;
  }

  /** Messages that did not go there. */
  lost = 0;

  /** What was sent, and that node has not taken. */
  get waitingBytes(): number {
    return this.#windowBytes;
  }

  /** What a beat says of the packets: whoever missed some of them, or has not been heard, answers. */
  beat(): Pick<BeatPacket, 'sent' | 'oldest' | 'overdue'> {
    const overdue: number[] = [];
    let oldest = this.#sequence + 1;
    for (const sequence of this.#onTheWay.keys()) {
      oldest = Math.min(oldest, sequence);
      if (sequence > this.#beaten || overdue.length === askedPackets) break;
      overdue.push(sequence);
    }
    this.#beaten = this.#sequence;
    return { sent: this.#sequence, oldest, overdue };
  }

  get isFull(): boolean {
    return this.#windowBytes + this.#gatheredBytes >= linkWindowBytes;
  }

  /** Whether it does not take what it gets. */
  get isSlow(): boolean {
    return this.#isDropping;
  }

  wouldDrop(): boolean {
    return this.#isDropping;
  }

  deliver(publication: Publication): void {
    this.#deliver(publication, undefined);
  }

  /** It is the turn of that node in a group. */
  deliverShare(publication: Publication, group: string): void {
    this.#deliver(publication, group);
  }

  holdBack(feeder: Source): void {
    if (this.#isDropping || this.#isClosed) return;
    this.#feeders.hold(feeder);
    this.#patience ??= setTimeout(() => {
      this.#patience = undefined;
      this.#isDropping = true;
      this.#feeders.release();
    }, linkPatienceMs);
  }

  /** That node said something: it does not stand still. */
  heard(): void {
    this.#patience?.refresh();
  }

  /** That node has what was in a packet. */
  taken(sequence: number): void {
    for (const { receipt } of this.#end(sequence)?.awaited ?? []) receipt.letGo();
  }

  /** Packets with these numbers did not arrive there, if they are still waited for. */
  missing(first: number, last: number): void {
    const missed = [...this.#onTheWay.keys()].filter((sequence) => sequence >= first && sequence <= last);
    for (const sequence of missed) {
      const { count, awaited } = this.#end(sequence)!;
      let lost = count;
      for (const each of awaited) {
        lost -= each.count;
        if (this.#isClosed) each.receipt.letGo();
        else this.#gather(each.section, each.count, each.receipt);
      }
      this.#lose(lost);
    }
  }

  #end(sequence: number): OnTheWay | undefined {
    const there = this.#onTheWay.get(sequence);
    if (there === undefined) return undefined;
    this.#onTheWay.delete(sequence);
    this.#windowBytes -= there.bytes;
    if (this.#windowBytes + this.#gatheredBytes <= linkWindowBytes / 2) this.#goOn();
    return there;
  }

  #lose(count: number): void {
    if (count === 0) return;
    this.lost += count;
    this.#parts.lost(count);
  }

  /** That node is gone: nobody waits for it any more. */
  close(): void {
    this.#isClosed = true;
    this.#goOn();
    for (const { awaited } of this.#onTheWay.values()) for (const { receipt } of awaited) receipt.letGo();
    for (const { receipt } of this.#awaited) receipt.letGo();
    this.#onTheWay.clear();
    this.#awaited = [];
    this.#sections = [];
  }

  #goOn(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#isDropping = false;
    this.#feeders.release();
  }

  #deliver(publication: Publication, group: string | undefined): void {
    if (publication.isRouted || this.#isClosed) return;
    const { count, receipt } = publication;
    const isPlain = publication.isPlain && group === undefined;
    const kind = isPlain ? SectionKind.frames : SectionKind.values;
    const bytes = isPlain
      ? kept(publication.as(this.#parts.frames))
      : encodeValues(publication.messages(), group);
    if (this.#isDropping || bytes.length > linkPacketBytes) {
      this.#lose(count);
      return;
    }
    receipt?.hold();
    this.#gather({ kind, bytes }, count, receipt);
  }

  #gather(section: Section, count: number, receipt: Receipt | undefined): void {
    const { length } = section.bytes;
    if (this.#gatheredBytes + length > linkPacketBytes) this.flush();
    this.#sections.push(section);
    this.#gatheredBytes += length + SECTION_HEAD_BYTES;
    this.#gathered += count;
    if (receipt !== undefined) this.#awaited.push({ section, count, receipt });
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  /** Sends what was gathered. */
  flush(): void {
    if (this.#sections.length === 0) return;
    const packet = messagesPacket(++this.#sequence, this.#sections);
    const count = this.#gathered;
    this.#parts.sent(count);
    this.#onTheWay.set(this.#sequence, { bytes: packet.length, count, awaited: this.#awaited });
    this.#windowBytes += packet.length;
    this.#sections = [];
    this.#awaited = [];
    this.#gatheredBytes = 0;
    this.#gathered = 0;
    this.#parts.send(packet);
  }
}

/** The members of a group that another node has, as one of this node's group. */
export class LinkShare implements Member {
  readonly isOfNode = true;
  readonly #link: PeerLink;
  readonly #filter: string;

  constructor(link: PeerLink, filter: string) {
    this.#link = link;
    this.#filter = filter;
  }

  get isFull(): boolean {
    return this.#link.isFull;
  }

  get isSlow(): boolean {
    return this.#link.isSlow;
  }

  wouldDrop(): boolean {
    return this.#link.wouldDrop();
  }

  holdBack(feeder: Source): void {
    this.#link.holdBack(feeder);
  }

  deliver(publication: Publication): void {
    this.#link.deliverShare(publication, this.#filter);
  }
}

/** Until the end of the turn: a frame that came in two chunks lies where the next one is written. Such a one is short. */
function kept(bytes: Uint8Array): Uint8Array {
  return bytes.length <= copiedSliceBytes ? new Uint8Array(bytes) : bytes;
}
