import { type ListedGroup, listedGroups } from '../../../internal/clients/kafka/groups.ts';
import { jsonLine, printableText } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { tableText } from '../table.ts';
import { groupsListProgram } from './flags.ts';

export const list = command(groupsListProgram, async (invocation) => {
  const { json, state } = invocation.values;
  const groups = await withKafka(invocation, listedGroups);
  const render = json ? asJson : state ? withStates : asNames;
  process.stdout.write(render(groups));
});

function asNames(groups: readonly ListedGroup[]): string {
  return groups.map(({ groupId }) => `${printableText(groupId)}\n`).join('');
}

function withStates(groups: readonly ListedGroup[]): string {
  return tableText(
    [{ title: 'GROUP' }, { title: 'STATE' }],
    groups.map(({ groupId, groupState }) => [groupId, groupState || undefined]),
  );
}

function asJson(groups: readonly ListedGroup[]): string {
  const lines = groups.map(({ groupId, groupState, groupType, protocolType }) =>
    jsonLine({ group: groupId, state: groupState, type: groupType, protocolType }),
  );
  return lines.join('');
}
