import { KafkaRefusal } from '../../../internal/clients/kafka/refusal.ts';
import { deleteTopics } from '../../../internal/protocol/kafka/apis/20-delete-topics.ts';
import { KafkaErrorCode } from '../../../internal/protocol/kafka/error-codes.ts';
import { ZERO_UUID } from '../../../internal/protocol/kafka/schema.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { failTogether, reporter } from '../report.ts';
import { topicsDeleteProgram } from './flags.ts';

const TIMEOUT_MS = 30_000;

export const deleteAll = command(topicsDeleteProgram, async (invocation) => {
  const { values, operands } = invocation;
  const names = [...new Set(operands)];
  const report = reporter(values.quiet);
  await withKafka(invocation, async (client) => {
    const { responses } = await client.sendToController(deleteTopics, {
      topics: names.map((name) => ({ name, topicId: ZERO_UUID })),
      topicNames: names,
      timeoutMs: TIMEOUT_MS,
    });
    const refusals: KafkaRefusal[] = [];
    for (const { name, errorCode, errorMessage } of responses) {
      const isGone = errorCode === KafkaErrorCode.unknownTopicOrPartition && values['if-exists'];
      if (errorCode === KafkaErrorCode.none) report(`Deleted topic ${name}.`);
      else if (isGone) report(`Topic ${name} is not there.`);
      else refusals.push(new KafkaRefusal(`topic '${name}'`, errorCode, errorMessage));
    }
    failTogether(refusals);
  });
});
