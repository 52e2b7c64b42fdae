import type { Source } from '../../broker/delivery/channel.ts';
import type { Encoding, Publication } from '../../broker/delivery/publication.ts';
import type { Receipt } from '../../broker/delivery/receipt.ts';
import type { Member } from '../../broker/routing/targets.ts';
import { HeldSources } from '../../lib/held-sources.ts';
import { linkPacketBytes, linkPatienceMs, linkWindowBytes } from '../../limits/links.ts';
import { encodeValues, messagesPacket, SECTION_HEAD_BYTES, type Section, SectionKind } from './packets.ts';

export interface PeerLinkParts {
  /** The encoding of plain messages, which may lie in packets as they came. */
  readonly frames: Encoding;
  send(packet: Uint8Array): void;
  /** So many messages were sent. */
  sent(count: number): void;
  /** So many messages did not go there, because it does not take them. */
  lost(count: number): void;
}

/** Messages that are on their way. */
interface OnTheWay {
  readonly bytes: number;
  readonly receipts: readonly Receipt[];
}

/**
 * Another node as a receiver of its filters. What a turn brings leaves in one packet. So much may be on its way there; beyond that
 * publishers pause, and if that does not help, messages are dropped and counted.
 */
export class PeerLink implements Member {
  readonly isOfNode = true;
  readonly #parts: PeerLinkParts;
  readonly #feeders = new HeldSources();
  readonly #onTheWay = new Map<number, OnTheWay>();
  #sections: Section[] = [];
  #gatheredBytes = 0;
  #gathered = 0;
  #receipts: Receipt[] = [];
  #isScheduled = false;
  #windowBytes = 0;
  #sequence = 0;
  #sent = 0;
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

  /** That node has what was in a packet. */
  taken(sequence: number): void {
    const there = this.#onTheWay.get(sequence);
    if (there === undefined) return;
    this.#onTheWay.delete(sequence);
    this.#windowBytes -= there.bytes;
    for (const receipt of there.receipts) receipt.letGo();
    if (this.#windowBytes + this.#gatheredBytes <= linkWindowBytes / 2) this.#goOn();
  }

  /** That node is gone: nobody waits for it any more. */
  close(): void {
    this.#isClosed = true;
    this.#goOn();
    for (const { receipts } of this.#onTheWay.values()) for (const receipt of receipts) receipt.letGo();
    for (const receipt of this.#receipts) receipt.letGo();
    this.#onTheWay.clear();
    this.#receipts = [];
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
    const bytes = isPlain ? publication.as(this.#parts.frames) : encodeValues(publication.messages(), group);
    if (this.#isDropping || bytes.length > linkPacketBytes) {
      this.lost += count;
      this.#parts.lost(count);
      return;
    }
    if (this.#gatheredBytes + bytes.length > linkPacketBytes) this.flush();
    this.#sections.push({ kind, bytes });
    this.#gatheredBytes += bytes.length + SECTION_HEAD_BYTES;
    this.#gathered += count;
    if (receipt !== undefined) {
      receipt.hold();
      this.#receipts.push(receipt);
    }
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
    const packet = messagesPacket(++this.#sequence, this.#sent, this.#sections);
    this.#sent += this.#gathered;
    this.#parts.sent(this.#gathered);
    this.#onTheWay.set(this.#sequence, { bytes: packet.length, receipts: this.#receipts });
    this.#windowBytes += packet.length;
    this.#sections = [];
    this.#receipts = [];
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
