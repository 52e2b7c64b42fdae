import { listGroups, removeGroup, resetGroup, showGroup } from '../../../internal/admin/operations/groups.ts';
import { quoted } from '../../../internal/errors.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { print, printTable, report } from '../access/output.ts';
import { withBroker } from '../reach/reach.ts';
import { printFacts } from './facts.ts';
import { groupsLsProgram, groupsResetProgram, groupsRmProgram, groupsShowProgram } from './flags.ts';
import { allPages } from './pages.ts';
import { countText } from './words.ts';

export const ls = command(groupsLsProgram, async (invocation) => {
  const { search, limit, json } = invocation.values;
  const groups = await withBroker(invocation, (broker) =>
    allPages(
      limit,
      (page) => broker.call(listGroups, { search, ...page }),
      (page) => page.groups,
    ),
  );
  if (json) {
    print(groups);
    return;
  }
  printTable(
    ['GROUP', 'STATE', 'MEMBERS', 'LAG', 'PROTOCOL'],
    groups.map(({ id, state, members, lag, protocolType }) => [
      ...[id, state, countText(members), countText(lag), protocolType || '-'],
    ]),
  );
});

export const show = command(groupsShowProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  const group = await withBroker(invocation, (broker) => broker.call(showGroup, { id }));
  if (invocation.values.json) {
    print(group);
    return;
  }
  const { state, protocolType, protocolName, lag, members, partitions } = group;
  printFacts({
    ...{ group: id, state, protocol: [protocolType, protocolName].filter(Boolean).join(', ') || '-' },
    ...{ members: countText(members.length), lag: countText(lag) },
  });
  if (members.length > 0) {
    process.stdout.write('\n');
    printTable(
      ['MEMBER', 'CLIENT', 'HOST', 'PARTITIONS'],
      members.map(({ memberId, clientId, clientHost, assigned }) => [
        ...[memberId, clientId || '-', clientHost || '-', countText(assigned.length)],
      ]),
    );
  }
  if (partitions.length === 0) return;
  process.stdout.write('\n');
  printTable(
    ['LOG', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER'],
    partitions.map(({ topic, partition, committedOffset, endOffset, lag: behind, memberId }) =>
      [topic, partition, committedOffset, endOffset, behind, memberId].map((value) => String(value ?? '-')),
    ),
  );
});

export const reset = command(groupsResetProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  const { to, topic, partition, json, quiet } = invocation.values;
  if (to === undefined) throw new UsageError('say where to with -to, such as -to earliest');
  if (topic === undefined && partition !== undefined) throw new UsageError('-partition goes with -topic');
  const { offsets } = await withBroker(invocation, (broker) =>
    broker.call(resetGroup, { id, to, topic, partition }),
  );
  if (json) {
    print(offsets);
    return;
  }
  if (quiet) return;
  printTable(
    ['LOG', 'PARTITION', 'COMMITTED'],
    offsets.map(({ topic: log, partition: index, offset }) => [log, String(index), String(offset ?? '-')]),
  );
});

export const rm = command(groupsRmProgram, async (invocation) => {
  const id = invocation.operands[0]!;
  await withBroker(invocation, (broker) => broker.call(removeGroup, { id }));
  report(invocation.values, { removed: id }, `Removed the group ${quoted(id)}.`);
});
