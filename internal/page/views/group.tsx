import { useState } from 'preact/hooks';
import { ask } from '../api/api.ts';
import type { GroupDetails, GroupMember, GroupPartition } from '../api/types.ts';
import { LIVE_MS, useQuery } from '../api/use-query.ts';
import { count } from '../lib/format.ts';
import { useMayAdmin } from '../lib/me.ts';
import { linkTo, type Route } from '../lib/route.ts';
import { goTo } from '../lib/use-route.ts';
import { Answer, Badge, Card, Empty, ViewHead } from '../parts/basics.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { Table } from '../parts/table.tsx';
import { ResetOffsets } from './reset-offsets.tsx';

/** One consumer group: who is in it, what it has read, what is still to come. */
export function GroupView({ route }: { route: Route }) {
  const id = route.path[1] ?? '';
  const path = `groups/${encodeURIComponent(id)}`;
  const query = useQuery<GroupDetails>(path, {}, LIVE_MS);
  const [asking, setAsking] = useState<'reset' | 'delete'>();
  const mayAdmin = useMayAdmin();
  const hasMembers = (query.data?.members.length ?? 0) > 0;
  return (
    <>
      <ViewHead
        title={
          <>
            <a class="up" href={linkTo(['groups'])}>
              Groups
            </a>
            <span class="name">{id}</span>
          </>
        }
      >
        {mayAdmin && query.data && (
          <>
            <button type="button" disabled={hasMembers} onClick={() => setAsking('reset')}>
              Reset offsets
            </button>
            <button type="button" class="danger" disabled={hasMembers} onClick={() => setAsking('delete')}>
              Delete
            </button>
          </>
        )}
      </ViewHead>
      {mayAdmin && hasMembers && (
        <p class="lead">Offsets are reset when the group has no members: stop its consumers first.</p>
      )}
      <Answer query={query}>{(group) => <Group group={group} />}</Answer>
      {asking === 'reset' && query.data && (
        <ResetOffsets
          group={query.data}
          path={path}
          onDone={query.reload}
          onClose={() => setAsking(undefined)}
        />
      )}
      {asking === 'delete' && (
        <Confirm
          title={`Delete the group ${id}?`}
          verb="Delete"
          done={`The group ${id} is gone.`}
          act={async () => {
            await ask(path, { method: 'DELETE' });
            goTo(['groups']);
          }}
          onClose={() => setAsking(undefined)}
        >
          <p>Where it was in each log is forgotten. Messages stay.</p>
        </Confirm>
      )}
    </>
  );
}

function Group({ group: { state, lag, members, partitions } }: { group: GroupDetails }) {
  return (
    <>
      <p class="lead">
        <Badge kind={state.toLowerCase() === 'stable' ? 'good' : 'plain'}>{state}</Badge> {count(lag)}{' '}
        messages behind
      </p>
      <div class="columns columns-wide">
        <Card title="Offsets">
          {partitions.length === 0 ? (
            <Empty title="It has committed no offset." />
          ) : (
            <Table
              caption="Offsets of the group"
              rows={partitions}
              keyOf={({ topic, partition }) => `${topic}/${partition}`}
              columns={OFFSETS}
            />
          )}
        </Card>
        <Card title="Members">
          {members.length === 0 ? (
            <Empty title="Nobody reads in this group now." />
          ) : (
            <Table
              caption="Members of the group"
              rows={members}
              keyOf={({ memberId }) => memberId}
              columns={MEMBERS}
            />
          )}
        </Card>
      </div>
    </>
  );
}

const OFFSETS = [
  { name: 'Log', cell: ({ topic }: GroupPartition) => <span class="mono name">{topic}</span> },
  { name: 'Partition', isNumber: true, cell: ({ partition }: GroupPartition) => partition },
  {
    name: 'Committed',
    isNumber: true,
    cell: ({ committedOffset }: GroupPartition) => count(committedOffset),
  },
  { name: 'End', isNumber: true, cell: ({ endOffset }: GroupPartition) => count(endOffset) },
  { name: 'Lag', isNumber: true, cell: ({ lag }: GroupPartition) => <b>{count(lag)}</b> },
];

const MEMBERS = [
  {
    name: 'Member',
    cell: ({ memberId, clientId }: GroupMember) => (
      <>
        <span class="name">{clientId}</span>
        <span class="sub mono name">{memberId}</span>
      </>
    ),
  },
  { name: 'From', cell: ({ clientHost }: GroupMember) => <span class="mono">{clientHost}</span> },
  {
    name: 'Partitions',
    cell: ({ assigned }: GroupMember) =>
      assigned.map(({ topic, partition }) => (
        <span key={`${topic}/${partition}`} class="sub mono name">
          {topic}/{partition}
        </span>
      )),
  },
];
