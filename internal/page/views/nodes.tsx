import type { NodeFacts } from '../api/types.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { useIsCluster } from '../lib/cluster.ts';
import { ago, bytes, count, many, NOTHING } from '../lib/format.ts';
import { Answer, Badge, Command, Empty, ViewHead } from '../parts/basics.tsx';
import { Figure } from '../parts/figure.tsx';
import { type Column, Table } from '../parts/table.tsx';

/** The brokers of the cluster, as the one that serves the page sees them. */
export function NodesView() {
  const nodes = useQuery<readonly NodeFacts[]>('nodes', {}, LIVE_MS);
  const isCluster = useIsCluster();
  return (
    <>
      <ViewHead title="Nodes" />
      {isCluster === false ? (
        <OnItsOwn />
      ) : (
        // A broker on its own lists itself too: nothing is shown until it is known to be in a cluster.
        <Answer query={isCluster ? nodes : { ...nodes, data: undefined }}>{Cluster}</Answer>
      )}
    </>
  );
}

function OnItsOwn() {
  return (
    <Empty title="This broker is on its own.">
      <p>
        Several brokers serve all topics together and replace one another:{' '}
        <Command>broker -cluster nats://a,nats://b,nats://c</Command>
      </p>
      <p>docs/cluster.md says what that needs and promises.</p>
    </Empty>
  );
}

function Cluster(nodes: readonly NodeFacts[]) {
  const lost = sum(nodes, ({ link }) => link?.lost);
  const coordinator = nodes.find((node) => node.coordinator)?.node;
  return (
    <>
      <ul class="figures">
        <Figure name="Nodes" value={count(nodes.length)} />
        <Figure name="Clients" value={count(sum(nodes, ({ clients }) => clients))} />
        <Figure name="Shards owned" value={count(sum(nodes, ({ shards }) => shards))} unit="of the logs" />
        <Figure
          name="Groups coordinated by"
          value={coordinator === undefined ? 'nobody' : `node ${coordinator}`}
          isBad={coordinator === undefined}
        />
        <Figure name="Lost" value={count(lost)} unit="messages from here" isBad={lost > 0} />
      </ul>
      <Table caption="Nodes of the cluster" columns={COLUMNS} rows={nodes} keyOf={({ node }) => node} />
      <p class="hint below">
        A node that has ended is shown no more. The NATS servers, and who owns which shard:{' '}
        <Command>tinymq cluster status</Command>
      </p>
    </>
  );
}

function sum(nodes: readonly NodeFacts[], of: (node: NodeFacts) => number | undefined): number {
  return nodes.reduce((all, node) => all + (of(node) ?? 0), 0);
}

const COLUMNS: readonly Column<NodeFacts>[] = [
  {
    name: 'Node',
    cell: ({ node, self, host }) => (
      <div>
        <b>node {node}</b> {self && <Badge kind="accent">this one</Badge>}
        {host && <span class="sub mono">{host}</span>}
      </div>
    ),
  },
  {
    name: 'Listens at',
    cell: ({ listeners = [] }) => (
      <ul>
        {listeners.map(({ door, url }) => (
          <li key={`${door} ${url}`}>
            {door} <span class="sub mono url">{url}</span>
          </li>
        ))}
      </ul>
    ),
  },
  { name: 'Version', cell: ({ version }) => version ?? <span class="quiet">has said nothing yet</span> },
  { name: 'Started', isNumber: true, cell: ({ startedAt }) => ago(startedAt) },
  { name: 'Clients', isNumber: true, cell: ({ clients }) => count(clients) },
  { name: 'Shards', isNumber: true, cell: ({ shards }) => count(shards) },
  {
    name: 'Link from here',
    cell: ({ link }) =>
      link === undefined ? (
        NOTHING
      ) : (
        <div>
          {link.slow ? <Badge kind="bad">takes nothing</Badge> : <Badge kind="good">open</Badge>}
          <span class="sub">{many(link.filters, 'filter')}</span>
        </div>
      ),
  },
  { name: 'Waiting', isNumber: true, cell: ({ link }) => bytes(link?.waitingBytes) },
  { name: 'Lost', isNumber: true, cell: ({ link }) => count(link?.lost) },
];
