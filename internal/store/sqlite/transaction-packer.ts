import { storeGroupBatches, storeGroupBytes } from '../../limits/store.ts';
import type { NewBatch, StoredProducer } from '../log-store.ts';
import { APPEND_FIELDS, type Change, type WriteTransaction } from './messages.ts';

/** A change that waits for its transaction, and whom to tell. An append has its batch, everything else its change. */
export type Waiting = {
  byteLength: number;
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
} & ({ kind: 'append'; partition: number; batch: NewBatch } | { kind: 'change'; change: Change });

/**
 * Packs waiting changes for the thread that writes: the bytes of all appends are copied behind each other into one
 * buffer, which moves there and back, so that nothing is cloned and no page is touched for the first time per group.
 */
export class TransactionPacker {
  readonly #spareSlabs: ArrayBuffer[] = [];

  /** The number of first changes that fit one group: at least one, even if it is larger. */
  count(waiting: Waiting[]): number {
    let bytes = 0;
    let count = 0;
    for (const { byteLength } of waiting) {
      if (count > 0 && (count === storeGroupBatches || bytes + byteLength > storeGroupBytes)) break;
      bytes += byteLength;
      count++;
    }
    return count;
  }

  pack(group: Waiting[]): WriteTransaction {
    let appendCount = 0;
    let byteLength = 0;
    for (const entry of group) {
      if (entry.kind !== 'append') continue;
      appendCount++;
      byteLength += entry.batch.bytes.length;
    }
    const appends = new Float64Array(appendCount * APPEND_FIELDS);
    const slab = this.#slab(byteLength);
    const target = new Uint8Array(slab);
    const producers: StoredProducer[] = [];
    const changes: WriteTransaction['changes'] = [];
    let at = 0;
    let byte = 0;
    for (const [position, entry] of group.entries()) {
      if (entry.kind === 'change') {
        changes.push({ position, change: entry.change });
        continue;
      }
      const { baseOffset, lastOffset, count, maxTimestamp, bytes, producer } = entry.batch;
      appends[at] = entry.partition;
      appends[at + 1] = baseOffset;
      appends[at + 2] = lastOffset;
      appends[at + 3] = count;
      appends[at + 4] = maxTimestamp;
      appends[at + 5] = bytes.length;
      appends[at + 6] = producer ? 1 : 0;
      if (producer) producers.push({ id: producer.id, state: copiedForClone(producer.state) });
      at += APPEND_FIELDS;
      target.set(bytes, byte);
      byte += bytes.length;
    }
    return { kind: 'group', changeCount: group.length, appends, slab, producers, changes };
  }

  /** Takes a buffer back for the next group. */
  giveBack(slab: ArrayBuffer): void {
    if (slab.byteLength > 0 && slab.byteLength <= storeGroupBytes) this.#spareSlabs.push(slab);
  }

  #slab(byteLength: number): ArrayBuffer {
    const spare = this.#spareSlabs.pop();
    if (spare && spare.byteLength >= byteLength) return spare;
    let size = 4096;
    while (size < byteLength) size *= 2;
    return new ArrayBuffer(size > storeGroupBytes ? byteLength : size);
  }
}

/** A view alone in its buffer: cloning a view clones the whole buffer behind it. */
export function copiedForClone(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
