import { setTimeout as pause } from 'node:timers/promises';
import { roundRetryMs } from '../limits/cluster.ts';
import type { StoreEvent } from '../store/log-store.ts';
import type { GroupRecords } from './group-records.ts';
import type { Shard } from './shard.ts';

/** The owner of the first shard coordinates all groups: what is stored of them is read each time that a node begins to. */
export class Coordination {
  readonly #shard: Shard;
  readonly #records: GroupRecords;
  readonly #tell: (event: StoreEvent) => void;
  /** Which of its times as coordinator this is. */
  #term = 0;
  /** Settles when what was stored is known. */
  #loaded: Promise<void> = Promise.resolve();

  constructor(shard: Shard, records: GroupRecords, tell: (event: StoreEvent) => void) {
    this.#shard = shard;
    this.#records = records;
    this.#tell = tell;
  }

  /** This node owns the first shard from now on, or no longer. */
  note(isOwner: boolean): void {
    if (isOwner) this.#begin();
    else this.#end('elsewhere');
  }

  /** NATS is away: another node may coordinate groups without this one knowing. */
  suspend(): void {
    if (this.#shard.leader === 'here') this.#end('loading');
  }

  resume(): void {
    if (this.#shard.leader === 'here') this.#begin();
  }

  /** What groups committed is changed when it is known. */
  async records(): Promise<GroupRecords> {
    await this.#loaded;
    return this.#records;
  }

  close(): void {
    this.#term++;
  }

  #begin(): void {
    this.#end('loading');
    this.#loaded = this.#load(this.#term);
  }

  async #load(term: number): Promise<void> {
    while (term === this.#term) {
      try {
        // What was committed here before is read too.
        await this.#shard.settled();
        const groups = await this.#records.load();
        if (term !== this.#term) return;
        this.#tell({ kind: 'groups', groups });
        // Nobody waits for it, and what fails is tried by whoever loads them next.
        this.#records.forgetGone().catch(() => {});
        return;
      } catch {
        await pause(roundRetryMs);
      }
    }
  }

  #end(groups: 'elsewhere' | 'loading'): void {
    this.#term++;
    this.#tell({ kind: 'groups', groups });
  }
}
