import type { LogDetails, LogPartition } from '../../api/types.ts';
import { useQuery } from '../../api/use-query.ts';
import { useIsCluster } from '../../lib/cluster.ts';
import { bytes, count, many } from '../../lib/format.ts';
import { linkTo } from '../../lib/route.ts';
import { type Column, Table } from '../../parts/table.tsx';

/** So many partitions are shown without being asked for. */
const FEW_PARTITIONS = 12;

/**
 * How far each partition of a log goes, and in a cluster which node leads it. Somebody may read messages and may not see how
 * the log is kept: to him this shows nothing.
 */
export function LogPartitions({ log }: { log: string }) {
  const { data } = useQuery<LogDetails>(`logs/${encodeURIComponent(log)}`);
  const columns = useIsCluster() ? [...COLUMNS, LEADER] : COLUMNS;
  if (data === undefined) return null;
  const { partitions, partitionCount } = data;
  return (
    <details open={partitionCount <= FEW_PARTITIONS}>
      <summary>
        {many(partitionCount, 'partition')} of <span class="mono name">{log}</span>
      </summary>
      <Table
        caption="Partitions of the log"
        columns={columns}
        rows={partitions}
        keyOf={({ partition }) => partition}
      />
    </details>
  );
}

const COLUMNS: readonly Column<LogPartition>[] = [
  { name: 'Partition', isNumber: true, cell: ({ partition }) => partition },
  { name: 'First offset', isNumber: true, cell: ({ firstOffset }) => count(firstOffset) },
  { name: 'Next offset', isNumber: true, cell: ({ nextOffset }) => count(nextOffset) },
  { name: 'Bytes', isNumber: true, cell: ({ bytes: size }) => bytes(size) },
];

const LEADER: Column<LogPartition> = {
  name: 'Leader',
  cell: ({ leader }) =>
    leader === null ? <span class="quiet">nobody</span> : <a href={linkTo(['nodes'])}>node {leader}</a>,
};
