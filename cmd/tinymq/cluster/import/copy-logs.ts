import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { OWNER } from '../../../../internal/admin/operation.ts';
import { showLog } from '../../../../internal/admin/operations/logs.ts';
import { exportLog, importLog } from '../../../../internal/admin/operations/records.ts';
import { Failure } from '../../../../internal/lib/failure.ts';
import type { RecordForm } from '../../../../internal/live/log-records.ts';
import type { Logs, TopicLog } from '../../../../internal/log/logs.ts';
import type { PartitionLog } from '../../../../internal/log/partition-log.ts';
import { topicConfig } from '../../../../internal/log/topic-configs.ts';
import { type Progress, percentOf } from '../../import/progress.ts';
import type { RunningBroker } from '../../reach/reach.ts';
import { portionsOf } from './portions.ts';

/** What became of a log. */
export interface CopiedLog {
  readonly log: string;
  readonly partitions: number;
  /** Offsets of it. */
  readonly offsets: number;
  /** Records that were appended now; those of an import before are not counted. */
  imported: number;
  /** Partitions whose records are others there; undefined where nobody compared them. */
  differing: number[] | undefined;
}

/** How often, and how far apart, a node is asked that may not know yet what was just appended. */
const TRIES = 50;
const AGAIN_MS = 200;
/** Behind every offset that there may be. */
const BEYOND = 10 ** 14;
const CLEANUP_POLICY = 'cleanup.policy';

/** Copies logs of a store into a broker that runs. Records keep their offsets, so what is there already is seen by that. */
export class LogCopy {
  readonly #logs: Logs;
  readonly #broker: RunningBroker;
  readonly #stop: AbortSignal;
  readonly #progress: Progress;
  readonly #note: (line: string) => void;

  constructor(
    logs: Logs,
    broker: RunningBroker,
    { stop, progress, note }: { stop: AbortSignal; progress: Progress; note(line: string): void },
  ) {
    this.#logs = logs;
    this.#broker = broker;
    this.#stop = stop;
    this.#progress = progress;
    this.#note = note;
  }

  async copy(log: TopicLog): Promise<CopiedLog> {
    const { name, partitions } = log;
    const settings = this.#settingsOf(log);
    await this.#broker.call(importLog, { name, partitions: partitions.length, settings, records: [] });
    const offsets = partitions.reduce(
      (sum, { firstOffset, highWatermark }) => sum + highWatermark - firstOffset,
      0,
    );
    const copied: CopiedLog = {
      log: name,
      partitions: partitions.length,
      offsets,
      imported: 0,
      differing: undefined,
    };
    for (const partition of partitions) copied.imported += await this.#copyPartition(name, partition);
    return copied;
  }

  /** Reads both, and notes the partitions that are not the same from where both begin to where the store ends. */
  async compare({ name, partitions }: TopicLog, copied: CopiedLog): Promise<void> {
    const there = await this.#broker.call(showLog, { name });
    const differing: number[] = [];
    for (const { number, firstOffset, highWatermark } of partitions) {
      const from = Math.max(firstOffset, there.partitions[number]?.firstOffset ?? 0);
      const reach = { name, partition: number, from, until: highWatermark };
      const [own, other] = [await this.#digest(reach, true), await this.#digest(reach, false)];
      if (own !== other) differing.push(number);
    }
    copied.differing = differing;
  }

  /** A cluster compacts nothing. */
  #settingsOf({ name, configs }: TopicLog): Record<string, string> {
    const known = Object.entries(configs).filter(([setting]) => topicConfig(setting) !== undefined);
    const settings = Object.fromEntries(known);
    if (settings[CLEANUP_POLICY]?.includes('compact')) {
      delete settings[CLEANUP_POLICY];
      this.#note(`log ${name}: ${CLEANUP_POLICY} is delete there, as a cluster compacts nothing`);
    }
    return settings;
  }

  async #copyPartition(name: string, partition: PartitionLog): Promise<number> {
    const { number, highWatermark: until } = partition;
    let imported = 0;
    let from = await this.#endAt(name, number);
    if (from > until) this.#note(`log ${name}, partition ${number}: it has grown there since`);
    while (from < until) {
      this.#stop.throwIfAborted();
      const { records, next = until } = await this.#page(name, number, from, true);
      const missing = records.filter(({ offset }) => offset >= from);
      for (const some of portionsOf(missing, (record) => JSON.stringify(record).length)) {
        imported += await this.#send(name, number, some, []);
      }
      from = next;
      if (from >= until) await this.#send(name, number, [], [{ partition: number, nextOffset: until }]);
      this.#progress.tell(() => `${name} [${number}]: ${from} of ${until} (${percentOf(from, until)} %)`);
    }
    return imported;
  }

  /** @returns how many were appended: a node that was behind did not know all that is there. */
  async #send(
    name: string,
    partition: number,
    records: readonly RecordForm[],
    ends: readonly { partition: number; nextOffset: number }[],
  ): Promise<number> {
    let left = records;
    for (let tries = 1; left.length > 0 || ends.length > 0; tries++) {
      try {
        await this.#broker.call(importLog, { name, keepOffsets: true, records: left, ends });
        return left.length;
      } catch (error) {
        if (!(error instanceof Failure) || tries === TRIES) throw error;
        const end = await this.#endAt(name, partition);
        const behind = left.filter(({ offset }) => offset >= end);
        const isThere = ends.every(({ nextOffset }) => nextOffset <= end);
        if (behind.length === 0 && isThere) return 0;
        // Nothing has moved: it is refused for another reason, unless this node does not know yet what has.
        if (behind.length === left.length && tries > TRIES / 5) throw error;
        left = behind;
        await pause(AGAIN_MS);
      }
    }
    return 0;
  }

  /** Where a partition ends there. */
  async #endAt(name: string, partition: number): Promise<number> {
    const { end } = await this.#page(name, partition, BEYOND, false);
    return end;
  }

  async #digest(
    { name, partition, from, until }: { name: string; partition: number; from: number; until: number },
    isOwn: boolean,
  ): Promise<string> {
    const hash = createHash('sha256');
    for (let at = from; at < until; ) {
      this.#stop.throwIfAborted();
      const { records, next = until } = await this.#page(name, partition, at, isOwn);
      for (const { tstype: _, ...record } of records) {
        if (record.offset >= at && record.offset < until) hash.update(JSON.stringify(record));
      }
      at = next;
      this.#progress.tell(
        () => `comparing ${name} [${partition}]: ${at} of ${until} (${percentOf(at, until)} %)`,
      );
    }
    return hash.digest('hex');
  }

  #page(name: string, partition: number, from: number, isOwn: boolean) {
    const asked = { name, partition, from };
    return isOwn ? exportLog.run({ logs: this.#logs }, asked, OWNER) : this.#broker.call(exportLog, asked);
  }
}
