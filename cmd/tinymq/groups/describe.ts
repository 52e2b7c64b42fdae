import type { KafkaClient } from '../../../internal/clients/kafka/client.ts';
import { listedGroups } from '../../../internal/clients/kafka/groups.ts';
import { KafkaRefusal } from '../../../internal/clients/kafka/refusal.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { failTogether } from '../report.ts';
import { membersReport } from './describe-members.ts';
import { offsetsReport } from './describe-offsets.ts';
import { stateReport } from './describe-state.ts';
import { groupsDescribeProgram } from './flags.ts';

/** What is shown about a group. */
export type GroupReport = (client: KafkaClient, groupId: string, isJson: boolean) => Promise<string>;

export const describe = command(groupsDescribeProgram, async (invocation) => {
  const { values, operands } = invocation;
  if (values.all === operands.length > 0) throw new UsageError('say which groups, or -all');
  if (values.members && values.state) throw new UsageError('-members and -state do not go together');
  const report: GroupReport = values.members ? membersReport : values.state ? stateReport : offsetsReport;
  await withKafka(invocation, async (client) => {
    const names = values.all ? (await listedGroups(client)).map(({ groupId }) => groupId) : operands;
    const refusals: Error[] = [];
    let isFirst = true;
    for (const groupId of new Set(names)) {
      try {
        const text = await report(client, groupId, values.json);
        process.stdout.write(isFirst || values.json ? text : `\n${text}`);
        isFirst = false;
      } catch (error) {
        if (!(error instanceof KafkaRefusal)) throw error;
        refusals.push(error);
      }
    }
    failTogether(refusals);
  });
});
