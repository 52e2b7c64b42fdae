import type { ClusterStatus } from '../../../internal/cluster/inspect/status.ts';
import type { ReplicaStatus } from '../../../internal/cluster/inspect/streams.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable } from '../access/output.ts';
import { printFacts } from '../broker/facts.ts';
import { countText, sizeText } from '../broker/words.ts';
import { counted } from '../report.ts';
import { clusterStatusProgram } from './flags.ts';
import { lookOptionsOf, toldByCluster } from './reach.ts';

export const status = command(clusterStatusProgram, async ({ values }) => {
  const options = lookOptionsOf(values);
  // Only who looks loads what speaks NATS.
  const { clusterStatus } = await import('../../../internal/cluster/inspect/status.ts');
  const found = await toldByCluster(() => clusterStatus(options));
  if (values.json) print(found);
  else printStatus(found);
});

function printStatus({ name, servers, nodes, streams, problems }: ClusterStatus): void {
  const shards = streams.filter(({ shard }) => shard !== undefined);
  printFacts({
    cluster: `${name}, ${counted(nodes.length, 'broker')}, ${counted(servers.length, 'NATS server')}, ${counted(shards.length, 'shard')}`,
    problems: problems.length === 0 ? 'none' : problems,
  });
  part(
    ['SERVER', 'VERSION', 'URL'],
    servers.map(({ server = '-', version = 'away', url }) => [server, version, url]),
  );
  part(
    ['NODE', 'KAFKA', 'SHARDS'],
    nodes.map(({ node, kafka = '-', shards: owned }) => [String(node), kafka, owned.join(' ') || '-']),
  );
  part(
    ['STREAM', 'OWNER', 'EPOCH', 'MESSAGES', 'SIZE', 'LEADER', 'REPLICAS'],
    streams.map(({ stream, owner, messages, bytes, replicas }) => [
      stream,
      owner?.node === undefined ? '-' : String(owner.node),
      owner === undefined ? '-' : String(owner.epoch),
      countText(messages),
      sizeText(bytes),
      replicas.find(({ isLeader }) => isLeader)?.server ?? '-',
      replicas.length === 0 ? 'one, on its own' : replicas.map(replicaText).join(', '),
    ]),
  );
}

function part(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  if (rows.length === 0) return;
  process.stdout.write('\n');
  printTable(titles, rows);
}

function replicaText({ server, isAway, isCurrent, lag }: ReplicaStatus): string {
  if (isAway) return `${server} away`;
  return isCurrent ? server : `${server} ${countText(lag)} behind`;
}
