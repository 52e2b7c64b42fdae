import { demand, KafkaRefusal } from '../../../internal/clients/kafka/refusal.ts';
import { deleteGroups } from '../../../internal/protocol/kafka/apis/42-delete-groups.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { failTogether, reporter } from '../report.ts';
import { groupsDeleteProgram } from './flags.ts';

export const deleteAll = command(groupsDeleteProgram, async (invocation) => {
  const { values, operands } = invocation;
  const report = reporter(values.quiet);
  await withKafka(invocation, async (client) => {
    const refusals: KafkaRefusal[] = [];
    for (const groupId of new Set(operands)) {
      try {
        await client.retrying(async () => {
          const { results } = await client.sendToCoordinator(groupId, deleteGroups, {
            groupsNames: [groupId],
          });
          for (const { errorCode } of results) demand(`group '${groupId}'`, errorCode);
        });
        report(`Deleted group ${groupId}.`);
      } catch (error) {
        if (!(error instanceof KafkaRefusal)) throw error;
        refusals.push(error);
      }
    }
    failTogether(refusals);
  });
});
