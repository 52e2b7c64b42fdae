import type { LogStore } from '../../store/log-store.ts';

/** The progress of a partition's compaction; it survives a restart. */
export interface CompactionState {
  /** No key has two records below this offset. */
  cleanUntil: number;
  /** Bytes of the batches from `firstOffset`, the first one of that time, up to it. */
  cleanBytes: number;
  firstOffset: number;
  /** When the first tombstone below it may go, in milliseconds since 1970; undefined where there is none. */
  nextHorizonMs: number | undefined;
}

/** The stored progress of a partition; without one that can be read nothing counts as compacted. */
export async function readCompactionState(store: LogStore, partition: number): Promise<CompactionState> {
  const bytes = await store.getMeta(keyOf(partition));
  const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view?.byteLength !== STATE_BYTES || view.getUint8(0) !== STATE_VERSION) {
    return { cleanUntil: 0, cleanBytes: 0, firstOffset: 0, nextHorizonMs: undefined };
  }
  const nextHorizonMs = view.getFloat64(25);
  return {
    cleanUntil: view.getFloat64(1),
    cleanBytes: view.getFloat64(9),
    firstOffset: view.getFloat64(17),
    nextHorizonMs: Number.isFinite(nextHorizonMs) ? nextHorizonMs : undefined,
  };
}

/** Remembers it. @throws StoreUnavailableError */
export async function writeCompactionState(
  store: LogStore,
  partition: number,
  { cleanUntil, cleanBytes, firstOffset, nextHorizonMs }: CompactionState,
): Promise<void> {
  const view = new DataView(new ArrayBuffer(STATE_BYTES));
  view.setUint8(0, STATE_VERSION);
  view.setFloat64(1, cleanUntil);
  view.setFloat64(9, cleanBytes);
  view.setFloat64(17, firstOffset);
  view.setFloat64(25, nextHorizonMs ?? Number.POSITIVE_INFINITY);
  await store.putMeta(keyOf(partition), new Uint8Array(view.buffer));
}

/** Forgets it, when the partition is gone. @throws StoreUnavailableError */
export async function forgetCompactionState(store: LogStore, partition: number): Promise<void> {
  await store.putMeta(keyOf(partition), undefined);
}

/*
 * The state in bytes, big endian:
 *
 *     version (1)   cleanUntil (8)   cleanBytes (8)   firstOffset (8)   nextHorizonMs (8, infinite for none)
 */
const STATE_VERSION = 1;
const STATE_BYTES = 33;

function keyOf(partition: number): string {
  return `compaction/${partition}`;
}
