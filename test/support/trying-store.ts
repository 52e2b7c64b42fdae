import type { NewBatch, StoredBatch, StoreEvent, TopicConfigs } from '../../internal/store/log-store.ts';
import { MemoryStore } from '../../internal/store/memory/memory-store.ts';
import { CorruptBatchError, StoreUnavailableError } from '../../internal/store/store-error.ts';

/** A store in memory that a test can make slow, failing or damaged. */
export class TryingStore extends MemoryStore {
  /** Appends that were asked for, whatever became of them. */
  appends = 0;
  /** Topics that were asked for. */
  created = 0;
  reads = 0;
  /** Whether changes are refused. */
  isFailing = false;
  /** Base offsets of batches whose bytes are damaged. */
  readonly damaged = new Set<number>();
  #held: PromiseWithResolvers<void> | undefined;
  #heldReads: PromiseWithResolvers<void> | undefined;
  readonly #listeners = new Set<(event: StoreEvent) => void>();

  /** From now on appends wait. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** What waits goes on, in order. */
  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  holdReads(): void {
    this.#heldReads ??= Promise.withResolvers();
  }

  releaseReads(): void {
    this.#heldReads?.resolve();
    this.#heldReads = undefined;
  }

  /** The store works again and tells so. */
  async recover(): Promise<void> {
    this.isFailing = false;
    this.emit({ kind: 'recovered', state: await this.open() });
  }

  emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  override async createTopic(topic: Parameters<MemoryStore['createTopic']>[0]) {
    this.created++;
    this.#check();
    return super.createTopic(topic);
  }

  override async putMeta(key: string, value: Uint8Array | undefined): Promise<void> {
    this.#check();
    return super.putMeta(key, value);
  }

  override async alterTopic(name: string, configs: TopicConfigs): Promise<void> {
    this.#check();
    return super.alterTopic(name, configs);
  }

  override async append(partition: number, batch: NewBatch): Promise<void> {
    this.appends++;
    await this.#held?.promise;
    this.#check();
    return super.append(partition, batch);
  }

  override async read(partition: number, fromOffset: number, maxBytes: number): Promise<StoredBatch[]> {
    this.reads++;
    await this.#heldReads?.promise;
    const batches = await super.read(partition, fromOffset, maxBytes);
    const index = batches.findIndex(({ baseOffset }) => this.damaged.has(baseOffset));
    if (index === 0) throw new CorruptBatchError(partition, batches[0].baseOffset, batches[0].lastOffset);
    return index < 0 ? batches : batches.slice(0, index);
  }

  override async batchForTime(partition: number, timestamp: number) {
    const found = await super.batchForTime(partition, timestamp);
    await this.#heldReads?.promise;
    return found;
  }

  override onEvent(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #check(): void {
    if (this.isFailing) throw new StoreUnavailableError('failed', 'the disk is on fire');
  }
}
