import { X509Certificate } from 'node:crypto';
import { getHeapStatistics } from 'node:v8';
import type { KeptTopics } from '../doors/door.ts';
import type { Groups } from '../groups/groups.ts';
import { residentBytes } from '../lib/resident-bytes.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Certificates, TlsMaterial } from '../transport/certificates.ts';
import { EventLoopDelay } from './event-loop-delay.ts';
import { FolderBytes } from './folder-bytes.ts';
import { diskCheck } from './health.ts';
import type { Opened } from './opened.ts';

const US_PER_SECOND = 1e6;
const MS_PER_SECOND = 1_000;

/** Has the process, its store and its certificate measured. Nothing of it is looked at unless somebody reads the metrics. */
export function measureProcess(
  metrics: Metrics,
  version: string,
  kept: MeasuredTopics | undefined,
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
  const expirySeconds = ({ cert }: TlsMaterial) =>
    Date.parse(new X509Certificate(cert).validTo) / MS_PER_SECOND;
  let expiresAtSeconds = expirySeconds(certificates.material);
  certificates.onChange((material) => {
    expiresAtSeconds = expirySeconds(material);
  });
  metrics.gauge('certificate_expiry_timestamp_seconds', () => expiresAtSeconds);
}

type MeasuredTopics = Pick<KeptTopics, 'store' | 'logs' | 'groups' | 'directory'>;

function lagsOf(groups: Groups): number[] {
  return groups.list().map(({ groupId }) => groups.lagOf(groupId)?.lag ?? 0);
}

function measureEventLoop(metrics: Metrics, opened: Opened): void {
  const delay = new EventLoopDelay();
  opened.add(() => delay.close());
  for (const statistic of ['p50', 'p99', 'max'] as const) {
    metrics.gauge('event_loop_delay_seconds', () => delay.read()[statistic], { statistic });
  }
}

function measureStore(metrics: Metrics, { store, logs, groups, directory }: MeasuredTopics): void {
  metrics.gauge('store_changes_waiting', () => store.health().waitingChanges);
  metrics.gauge('store_bytes_waiting', () => store.health().waitingBytes);
  metrics.gauge('store_damaged_batches', () => store.health().corruptBatches);
  metrics.gauge('logs', () => [...logs.topics()].length);
  metrics.gauge('log_partitions', () => {
    let count = 0;
    for (const { partitions } of logs.topics()) count += partitions.length;
    return count;
  });
  metrics.gauge('log_bytes', () => {
    let bytes = 0;
    for (const { partitions } of logs.topics()) for (const { sizeBytes } of partitions) bytes += sizeBytes;
    return bytes;
  });
  metrics.gauge('groups', () => groups.list().length);
  metrics.gauge('group_lag', () => lagsOf(groups).reduce((sum, lag) => sum + lag, 0), { statistic: 'sum' });
  metrics.gauge('group_lag', () => lagsOf(groups).reduce((most, lag) => Math.max(most, lag), 0), {
    statistic: 'max',
  });
  if (directory === undefined) return;
  const folders = directory.split(',');
  metrics.gauge('disk_free_bytes', () => diskCheck(folders).freeBytes);
  const files = new FolderBytes(folders);
  metrics.gauge('store_bytes', () => files.read());
}
