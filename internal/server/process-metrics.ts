import { X509Certificate } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { KeptTopics } from '../doors/door.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Certificates } from '../transport/certificates.ts';
import { diskCheck } from './health.ts';
import type { Opened } from './opened.ts';

const NS_PER_SECOND = 1e9;
const US_PER_SECOND = 1e6;
const MS_PER_SECOND = 1_000;
/** How often the delay of the event loop is looked at; what is shorter is not seen. */
const DELAY_RESOLUTION_MS = 50;

/** Has the process, its store and its certificate measured. Nothing of it is looked at unless somebody reads the metrics. */
export function measureProcess(
  metrics: Metrics,
  version: string,
  kept: Pick<KeptTopics, 'store' | 'logs' | 'directory'> | undefined,
  certificates: Certificates | undefined,
  opened: Opened,
): void {
  metrics.gauge('build_info', () => 1, { version, node: process.versions.node });
  const startedAtSeconds = Date.now() / MS_PER_SECOND - process.uptime();
  metrics.gauge('process_start_time_seconds', () => startedAtSeconds);
  metrics.countedElsewhere('process_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / US_PER_SECOND;
  });
  metrics.gauge('process_resident_memory_bytes', residentBytes);
  metrics.gauge('process_heap_bytes', () => getHeapStatistics().used_heap_size);
  measureEventLoop(metrics, opened);
  if (kept !== undefined) measureStore(metrics, kept);
  if (certificates === undefined) return;
  metrics.gauge('certificate_expiry_timestamp_seconds', () => {
    const { validTo } = new X509Certificate(certificates.material.cert);
    return Date.parse(validTo) / MS_PER_SECOND;
  });
}

/** The system tells it in a file; a process that may open none any more does not know, and goes on measuring the rest. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return Number.NaN;
  }
}

function measureEventLoop(metrics: Metrics, opened: Opened): void {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  delay.enable();
  opened.add(() => void delay.disable());
  metrics.gauge('event_loop_delay_seconds', () => delay.percentile(50) / NS_PER_SECOND, { statistic: 'p50' });
  metrics.gauge('event_loop_delay_seconds', () => delay.percentile(99) / NS_PER_SECOND, { statistic: 'p99' });
  // Registered last, and so read last: what follows is measured anew.
  const worst = () => {
    const seconds = delay.max / NS_PER_SECOND;
    delay.reset();
    return seconds;
  };
  metrics.gauge('event_loop_delay_seconds', worst, { statistic: 'max' });
}

function measureStore(
  metrics: Metrics,
  { store, logs, directory }: Pick<KeptTopics, 'store' | 'logs' | 'directory'>,
): void {
  metrics.gauge('store_changes_waiting', () => store.health().waitingChanges);
  metrics.gauge('store_bytes_waiting', () => store.health().waitingBytes);
  metrics.gauge('store_damaged_batches', () => store.health().corruptBatches);
  metrics.gauge('logs', () => [...logs.topics()].length);
  metrics.gauge('log_partitions', () => {
    let count = 0;
    for (const { partitions } of logs.topics()) count += partitions.length;
    return count;
  });
  if (directory === undefined) return;
  const folders = directory.split(',');
  metrics.gauge('disk_free_bytes', () => diskCheck(folders).freeBytes);
  metrics.gauge('store_bytes', () => folders.reduce((bytes, folder) => bytes + bytesIn(folder), 0));
}

/** Bytes of the files in a folder and below it; files that go meanwhile count for nothing. */
function bytesIn(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
      bytes += Number(file?.size ?? 0);
    }
  } catch {
    return bytes;
  }
  return bytes;
}
