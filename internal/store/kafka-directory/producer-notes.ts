import type { StoredProducer } from '../log-store.ts';
import { decodeProducer, encodeProducer, laterBatches, sequenceAfter } from '../producer-state.ts';

/** What the journal says of producers. */
export type ProducerEntry =
  /** The state of a producer after the batch that ends at `lastOffset`, base64; null for forgotten. */
  | { kind: 'producer'; id: number; producerId: string; lastOffset: number; state: string | null }
  /** Of all batches before an offset the producers are in entries before this one; what is behind says it itself. */
  | { kind: 'producers-until'; id: number; offset: number };

/** What the header of a batch says of its producer. */
export interface ProducerStep {
  producerId: number;
  epoch: number;
  firstSequence: number;
  count: number;
  baseOffset: number;
  lastOffset: number;
  maxTimestamp: number;
}

/** The state of a producer after the batch that ends at `lastOffset`, in base64. */
interface Note {
  lastOffset: number;
  state: string;
}

/**
 * The state of idempotent producers, by partition. What a batch's header says need not be in the journal at once: it is
 * noted for many batches together, up to an offset, and what is behind that is read from the headers after a crash.
 */
export class ProducerNotes {
  /**
   * By partition, then by producer id: what was noted, oldest first. Where the header says nothing of it, a note is written
   * before its batch, which may then not come to last.
   */
  readonly #notes = new Map<number, Map<string, Note[]>>();
  /** By partition: all batches before the offset are in the journal's notes. */
  readonly #until = new Map<number, number>();
  /** By partition: producers of whom the journal has an older state. */
  readonly #unsaved = new Map<number, Set<string>>();

  get isEmpty(): boolean {
    return this.#notes.size === 0;
  }

  has(partition: number, producerId: string): boolean {
    return this.#notes.get(partition)?.has(producerId) === true;
  }

  /** The offset from which on headers tell of producers; undefined where all that is known of them is in the journal. */
  until(partition: number): number | undefined {
    return this.#until.get(partition);
  }

  apply(entry: ProducerEntry): void {
    if (entry.kind === 'producers-until') {
      this.#until.set(entry.id, entry.offset);
      return;
    }
    const { id, producerId, lastOffset, state } = entry;
    if (state === null) {
      this.#notes.get(id)?.delete(producerId);
      this.#unsaved.get(id)?.delete(producerId);
    } else {
      const notes = this.#of(id).get(producerId);
      if (notes === undefined) this.#of(id).set(producerId, [{ lastOffset, state }]);
      // One that waited for others may be older than what is known by now.
      else if (notes.at(-1)!.lastOffset <= lastOffset) notes.push({ lastOffset, state });
    }
  }

  /** Takes up the state after a batch that lasts, and whose header says as much. */
  note(partition: number, { id, state }: StoredProducer, lastOffset: number): void {
    this.#set(partition, String(id), { lastOffset, state: Buffer.from(state).toString('base64') });
  }

  /** The same from the header alone. */
  follow(partition: number, step: ProducerStep): void {
    const producerId = String(step.producerId);
    const { epoch, firstSequence, count, baseOffset, lastOffset, maxTimestamp } = step;
    const noted = this.#notes.get(partition)?.get(producerId)?.at(-1);
    if (noted !== undefined && noted.lastOffset >= lastOffset) return;
    const before = noted && decodeProducer(Buffer.from(noted.state, 'base64'));
    const batch = { firstSequence, lastSequence: sequenceAfter(firstSequence, count - 1), baseOffset };
    const batches = laterBatches(before?.epoch === epoch ? before.batches : [], batch);
    const state = encodeProducer({ epoch, lastSeenMs: maxTimestamp, batches });
    this.#set(partition, producerId, { lastOffset, state: Buffer.from(state).toString('base64') });
  }

  /** The entries that bring the journal up to an offset, behind which nothing lasts yet. */
  *unsaved(partition: number, nextOffset: number): Generator<ProducerEntry> {
    for (const producerId of this.#unsaved.get(partition) ?? []) {
      const note = this.#notes.get(partition)?.get(producerId)?.at(-1);
      if (note !== undefined) yield { kind: 'producer', id: partition, producerId, ...note };
    }
    yield { kind: 'producers-until', id: partition, offset: nextOffset };
  }

  /** They are in the journal now. */
  saved(partition: number): void {
    this.#unsaved.delete(partition);
  }

  /**
   * Leaves of each producer the newest note whose batch lasts.
   *
   * @returns whether there were notes of batches that do not.
   */
  settle(partition: number, nextOffset: number): boolean {
    let isStale = false;
    const producers = this.#notes.get(partition);
    for (const [producerId, notes] of producers ?? []) {
      if (notes.length === 1 && notes[0]!.lastOffset < nextOffset) continue;
      const newest = notes.findLast(({ lastOffset }) => lastOffset < nextOffset);
      isStale ||= newest !== notes.at(-1);
      if (newest === undefined) producers!.delete(producerId);
      else producers!.set(producerId, [newest]);
    }
    return isStale;
  }

  forgetPartition(partition: number): void {
    this.#notes.delete(partition);
    this.#until.delete(partition);
    this.#unsaved.delete(partition);
  }

  clear(): void {
    this.#notes.clear();
    this.#until.clear();
    this.#unsaved.clear();
  }

  /** In the order of their ids. */
  stored(partition: number): StoredProducer[] {
    const producers = [...(this.#notes.get(partition) ?? [])].map(([producerId, notes]) => ({
      id: BigInt(producerId),
      state: new Uint8Array(Buffer.from(notes.at(-1)!.state, 'base64')),
    }));
    return producers.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The fewest entries that make this state. */
  *entries(): Generator<ProducerEntry> {
    for (const [id, producers] of this.#notes) {
      for (const [producerId, notes] of producers) {
        for (const note of notes) yield { kind: 'producer', id, producerId, ...note };
      }
    }
    for (const [id, offset] of this.#until) yield { kind: 'producers-until', id, offset };
  }

  #of(partition: number): Map<string, Note[]> {
    return valueAt(this.#notes, partition, () => new Map());
  }

  #set(partition: number, producerId: string, note: Note): void {
    this.#of(partition).set(producerId, [note]);
    valueAt(this.#unsaved, partition, () => new Set<string>()).add(producerId);
  }
}

function valueAt<V>(map: Map<number, V>, key: number, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
