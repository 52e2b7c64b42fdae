import { THE_BROKER } from '../../access/policy.ts';
import type { NodeStatus } from '../nodes-view.ts';
import {
  type BrokerParts,
  defineOperation,
  flag,
  listOf,
  number,
  objectOf,
  text,
  time,
} from '../operation.ts';

const NODE = objectOf(
  {
    ...{ node: number, self: flag, version: text, startedAt: time },
    host: { ...text, description: 'The name of its machine.' },
    listeners: listOf(objectOf({ door: text, url: text })),
    clients: number,
    shards: { ...number, description: 'Of the logs, how many it owns.' },
    coordinator: { ...flag, description: 'Whether it coordinates the groups of consumers.' },
    link: {
      ...objectOf({ filters: number, waitingBytes: number, lost: number, slow: flag }),
      description: 'The way there for live messages; no link leads to the node itself.',
    },
  },
  ['node', 'self', 'coordinator'],
);

export const listNodes = defineOperation({
  ...{
    name: 'nodes',
    summary: 'Lists the nodes of the cluster as this one sees them; a broker on its own lists itself.',
  },
  ...{ method: 'GET', path: '/nodes', needs: { action: 'describe', resource: THE_BROKER } },
  answer: listOf(NODE),
  async run({ nodes }: BrokerParts, _input: object) {
    const { self, status, coordinator, others } = nodes();
    const shown = [
      { node: self, self: true, ...shownStatus(status), coordinator: coordinator === self },
      ...others.map((other) => ({
        ...{ node: other.id, self: false, coordinator: coordinator === other.id },
        ...(other.status && shownStatus(other.status)),
        link: {
          ...{ filters: other.filters, waitingBytes: other.waitingBytes },
          ...{ lost: other.lost, slow: other.isSlow },
        },
      })),
    ];
    return shown.sort((a, b) => a.node - b.node);
  },
});

function shownStatus({ version, host, startedAtMs, listeners, clients, shards }: NodeStatus) {
  const startedAt = new Date(startedAtMs).toISOString();
  return { version, host, startedAt, listeners: [...listeners], clients, shards };
}
