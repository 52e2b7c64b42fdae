import type { Clock } from '../lib/clock.ts';
import { catchUpMessages, contradictionMs, replicaRetries, replicaRetryMs } from '../limits/cluster.ts';
import type { Leader } from '../log/leadership.ts';
import { checkFirst, checkNext } from '../store/batch-rules.ts';
import type { NewBatch } from '../store/log-store.ts';
import { StoreError, StoreUnavailableError } from '../store/store-error.ts';
import {
  batchMessage,
  deletedMessage,
  type Facts,
  factsOf,
  floorMessage,
  groupMessage,
  markerMessage,
  NOBODY,
} from './messages.ts';
import { Pack } from './packed-batches.ts';
import { type PartitionEnd, ShardState } from './shard-state.ts';
import { ShardWriter, type Writer, type WriterParts } from './shard-writer.ts';
import type { ShardStream, StoredMessage } from './stream.ts';

export interface ShardEvents {
  /** Taken up, in the order of the shard, whoever wrote it. */
  readonly applied: (message: StoredMessage, facts: Facts) => void;
  /** Passed over, as no broker wrote it. */
  readonly foreign?: (subject: string) => void;
  /** This node owns the shard from now on, or no longer. */
  readonly ownership: (isOwner: boolean) => void;
  /** No replica that was asked has what lies between; nothing behind it is taken up. */
  readonly damaged?: (partition: number, fromOffset: number, toOffset: number) => void;
}

interface OpenPack {
  readonly pack: Pack;
  readonly stored: Promise<number>;
}

export interface ShardParts {
  /** The number of this node. */
  readonly node: number;
  readonly stream: ShardStream;
  readonly clock: Clock;
  readonly events: ShardEvents;
  readonly makeWriter?: (parts: WriterParts) => Writer;
}

/**
 * A shard of the logs: one stream, of which one node at a time is the owner, the only one that writes.
 *
 * The log elects its owner: it is whom the last marker names. A node claims the shard by a marker that is stored only if this
 * node knows all that was stored before, so an owner is complete, and what others still have on its way is refused by its
 * number. Clocks and heartbeats decide when to claim; that nothing is lost or written twice does not depend on them.
 */
export class Shard {
  readonly state = new ShardState();
  readonly #parts: ShardParts;
  #writer: Writer | undefined;
  /** Where partitions end when all that waits is stored. */
  readonly #ends = new Map<number, PartitionEnd>();
  /** By partition, what waits as one message, and takes more. */
  readonly #packs = new Map<number, OpenPack>();
  /** A marker that waits, and proves as much to whoever asks before its round begins. */
  #confirming: Promise<number> | undefined;
  #endFollowing: (() => void) | undefined;
  #isClaiming = false;
  #isSteppingDown = false;
  #isMending = false;
  #isClosed = false;
  /** Where it was found and told of. */
  #toldDamage = '';
  /** The last sequence that the leader of the stream names and refuses, and since when. */
  #refused: { readonly last: number; readonly sinceMs: number } | undefined;

  constructor(parts: ShardParts) {
    this.#parts = parts;
  }

  /** Begins to take up what is stored, behind what the state has. */
  follow(): void {
    const { stream } = this.#parts;
    this.#endFollowing = stream.follow(
      () => this.state.applied,
      (message) => {
        if (this.#takeUp([message])) return true;
        void this.#mend(message);
        return false;
      },
    );
  }

  /**
   * Reads what a follower passed over: the replica that it follows is damaged, and others may not be. Each try asks any of them.
   */
  async #mend(behind: StoredMessage): Promise<void> {
    if (this.#isMending) return;
    this.#isMending = true;
    const { stream, clock, events } = this.#parts;
    const isBehind = () => this.state.applied < behind.sequence && !this.#isClosed;
    for (let answers = 0; answers < replicaRetries && isBehind(); ) {
      try {
        this.#takeUp(await stream.readBetween(this.state.applied, behind.sequence));
        answers++;
      } catch {
        // JetStream does not answer at the moment, or a replica that is behind did: that says nothing of damage.
      }
      await new Promise<void>((resolve) => clock.after(replicaRetryMs, resolve));
    }
    this.#isMending = false;
    const facts = factsOf(behind);
    if (!isBehind() || facts?.kind !== 'batch') return;
    const { nextOffset } = this.endOf(facts.partition);
    const damaged = `${facts.partition}/${nextOffset}`;
    if (this.#toldDamage === damaged) return;
    this.#toldDamage = damaged;
    events.damaged?.(facts.partition, nextOffset, facts.baseOffset - 1);
  }

  /** Who owns it. The node itself does so only as long as it writes; a marker of its own that it lost counts for nothing. */
  get leader(): Leader {
    if (this.#isSteppingDown) return 'nobody';
    if (this.#writer !== undefined) return 'here';
    const { owner } = this.state;
    return owner === NOBODY || owner === this.#parts.node ? 'nobody' : owner;
  }

  get waiting(): { changes: number; bytes: number } {
    let { waiting: changes = 0, waitingBytes: bytes = 0 } = this.#writer ?? {};
    for (const { pack } of this.#packs.values()) {
      changes += pack.batches.length - 1;
      bytes += pack.bytes;
    }
    return { changes, bytes };
  }

  /**
   * Tries to become the owner. Resolves with whether it is; where it is not, what was stored meanwhile is known.
   *
   * @param isWanted is asked when that is known: another node may have claimed it.
   */
  async claim(isWanted = () => true): Promise<boolean> {
    if (this.#writer !== undefined) return !this.#isSteppingDown;
    if (this.#isClaiming) return false;
    this.#isClaiming = true;
    try {
      return await this.#claim(isWanted);
    } catch {
      // JetStream does not answer at the moment.
      return false;
    } finally {
      this.#isClaiming = false;
    }
  }

  /**
   * Takes up what is stored by now, and resolves with its last sequence; less of it is taken up where something is damaged.
   * @throws StoreUnavailableError
   */
  async catchUp(): Promise<number> {
    const { stream } = this.#parts;
    const last = await stream.lastSequence();
    while (this.state.applied < last) {
      const { applied } = this.state;
      const until = Math.min(last, applied + catchUpMessages);
      if (!this.#takeUp(await stream.readBetween(applied, until))) break;
      // Nothing is left there, up to the last one too: it was rolled up meanwhile. What comes is behind it.
      if (this.state.applied === applied) this.state.applied = until;
    }
    return last;
  }

  async #claim(isWanted: () => boolean): Promise<boolean> {
    const { stream, node } = this.#parts;
    const last = await this.catchUp();
    if (this.state.applied !== last || !isWanted()) return false;
    const epoch = this.state.epoch + 1;
    const marker = markerMessage({ epoch, number: 0 }, node);
    const outcome = await stream.publish([marker], last);
    if (outcome.kind === 'refused') await this.#endContradiction(last);
    if (outcome.kind !== 'stored') return false;
    this.#refused = undefined;
    const sequence = last + 1;
    this.#takeUp([{ ...marker, sequence }]);
    // Another marker may have come before this answer.
    if (this.state.applied !== sequence || this.state.epoch !== epoch) return false;
    this.#own(epoch, sequence);
    return true;
  }

  /**
   * A leader counts what it has proposed to the other replicas, and refuses by that count. Where some of it came to nothing it may
   * refuse for ever what it says is right; the next leader counts anew.
   */
  async #endContradiction(last: number): Promise<void> {
    const { stream, clock } = this.#parts;
    const nowMs = clock.elapsedMs();
    if (this.#refused?.last !== last) this.#refused = { last, sinceMs: nowMs };
    if (nowMs - this.#refused.sinceMs < contradictionMs) return;
    this.#refused = undefined;
    await stream.changeLeader();
  }

  #own(epoch: number, tail: number): void {
    const { stream, clock, events, makeWriter = (parts) => new ShardWriter(parts) } = this.#parts;
    this.#ends.clear();
    this.#packs.clear();
    this.#confirming = undefined;
    this.#writer = makeWriter({
      ...{ stream, clock, epoch, tail },
      takeUp: (messages) => this.#takeUp(messages),
      ended: () => {
        this.#writer = undefined;
        this.#ends.clear();
        this.#packs.clear();
        this.#confirming = undefined;
        events.ownership(false);
      },
    });
    events.ownership(true);
  }

  /** Lets another node have it: writes what waits, and a marker that names nobody. */
  async stepDown(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#isSteppingDown = true;
    this.#packs.clear();
    try {
      await writer.write((id) => markerMessage(id, NOBODY), notLeader()).catch(() => {});
      writer.end('stopped', notLeader());
    } finally {
      this.#isSteppingDown = false;
    }
  }

  /**
   * Makes sure that this node is the owner and that nothing was stored that it does not know: by writing. Asking would not do, as a
   * leader of the stream that was replaced does not know either.
   *
   * @throws StoreError `not-leader`; StoreUnavailableError
   */
  async confirm(): Promise<void> {
    const writer = this.#writing();
    if (this.#confirming === undefined) {
      const confirming = writer.write((id) => {
        if (this.#confirming === confirming) this.#confirming = undefined;
        return markerMessage(id, this.#parts.node);
      });
      this.#confirming = confirming;
    }
    await this.#confirming;
  }

  /** @throws StoreError `conflict`, `not-leader`; StoreUnavailableError */
  async append(partition: number, batch: NewBatch): Promise<void> {
    const writer = this.#writing();
    const end = this.#endOf(partition);
    checkNext(batch.baseOffset, end.nextOffset);
    const { bytesEver } = end;
    end.nextOffset = batch.lastOffset + 1;
    end.maxTimestamp = Math.max(end.maxTimestamp, batch.maxTimestamp);
    end.bytesEver += batch.bytes.length;
    const open = this.#packs.get(partition);
    if (open?.pack.hasRoomFor(batch)) {
      open.pack.add(batch, end.maxTimestamp);
      await open.stored;
    } else await this.#writePack(writer, partition, new Pack(batch, end.maxTimestamp, bytesEver));
  }

  /** Until it is on its way, batches that come behind it go along with it. */
  #writePack(writer: Writer, partition: number, pack: Pack): Promise<number> {
    let isMade = false;
    const stored = writer.write((id) => {
      isMade = true;
      if (this.#packs.get(partition)?.pack === pack) this.#packs.delete(partition);
      return batchMessage(id, partition, pack);
    });
    if (!isMade) this.#packs.set(partition, { pack, stored });
    return stored;
  }

  /**
   * Makes `offset` the first one of a partition, where `bytesBefore` bytes of batches lie before it. Resolves with its sequence.
   *
   * @throws StoreError `invalid`, `not-leader`; StoreUnavailableError
   */
  raiseFloor(partition: number, offset: number, bytesBefore: number): Promise<number> {
    const writer = this.#writing();
    const end = this.#endOf(partition);
    checkFirst(offset, end.nextOffset);
    this.#packs.delete(partition);
    const floor = { partition, firstOffset: offset, bytesBefore, ...end };
    return writer.write((id) => floorMessage(id, floor));
  }

  /** The partition is gone with its topic. Resolves with the sequence of what says so. */
  deletePartition(partition: number): Promise<number> {
    this.#ends.delete(partition);
    this.#packs.delete(partition);
    return this.#writing().write((id) => deletedMessage(id, partition));
  }

  /** Resolves when what waits now is stored, or was refused. */
  async settled(): Promise<void> {
    await this.#writer?.settled();
  }

  /** Writes what is kept of groups. */
  async saveGroup(subject: string, body: Uint8Array): Promise<void> {
    await this.#writing().write((id) => groupMessage(id, subject, body));
  }

  /** Where a partition ends when all that waits is stored. */
  endOf(partition: number): Readonly<PartitionEnd> {
    return this.#ends.get(partition) ?? endIn(this.state, partition);
  }

  /** Stops following. What waits is refused. */
  close(): void {
    this.#isClosed = true;
    this.#endFollowing?.();
    this.#writer?.end('stopped', new StoreUnavailableError('closed', 'the store is closed'));
  }

  #writing(): Writer {
    if (this.#writer === undefined) throw notLeader();
    return this.#writer;
  }

  #endOf(partition: number): PartitionEnd {
    let end = this.#ends.get(partition);
    if (end === undefined) {
      end = endIn(this.state, partition);
      this.#ends.set(partition, end);
    }
    return end;
  }

  /** @returns false where something before one of them is missing: that one and those behind it are not taken up. */
  #takeUp(messages: readonly StoredMessage[]): boolean {
    for (const message of messages) {
      const facts = this.state.apply(message);
      if (facts === 'known') continue;
      if (facts === 'gap') return false;
      if (facts === 'foreign') {
        this.#parts.events.foreign?.(message.subject);
        this.#writer?.passedOver(message.sequence);
        continue;
      }
      this.#parts.events.applied(message, facts);
      this.#tellWriter(facts, message.sequence);
    }
    return true;
  }

  #tellWriter({ epoch, number }: Facts, sequence: number): void {
    if (this.#writer === undefined) return;
    if (epoch === this.#writer.epoch) this.#writer.stored(number, sequence);
    else this.#writer.end('deposed', notLeader());
  }
}

function endIn(state: ShardState, partition: number): PartitionEnd {
  const { nextOffset = 0, maxTimestamp = -1, bytesEver = 0 } = state.partition(partition) ?? {};
  return { nextOffset, maxTimestamp, bytesEver };
}

/** What is refused with this is not stored, and never will be: the marker of another owner is in its way. */
function notLeader(): StoreError {
  return new StoreError('not-leader', 'another node of the cluster writes this');
}
