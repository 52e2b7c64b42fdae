import { demand } from '../../../internal/clients/kafka/refusal.ts';
import { createTopics } from '../../../internal/protocol/kafka/apis/19-create-topics.ts';
import { KafkaErrorCode } from '../../../internal/protocol/kafka/error-codes.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { reporter } from '../report.ts';
import { topicsCreateProgram } from './flags.ts';
import { settingOf } from './settings.ts';

/** What stands for the broker's own choice. */
const BROKERS_DEFAULT = -1;
const TIMEOUT_MS = 30_000;

export const create = command(topicsCreateProgram, async (invocation) => {
  const { values, operands } = invocation;
  const [name] = operands;
  const topic = {
    name,
    numPartitions: values.partitions ?? BROKERS_DEFAULT,
    replicationFactor: values['replication-factor'] ?? BROKERS_DEFAULT,
    assignments: [],
    configs: values.config.map(settingOf),
  };
  const report = reporter(values.quiet);
  await withKafka(invocation, async (client) => {
    const { topics } = await client.sendToController(createTopics, {
      topics: [topic],
      timeoutMs: TIMEOUT_MS,
    });
    for (const { errorCode, errorMessage } of topics) {
      if (errorCode === KafkaErrorCode.topicAlreadyExists && values['if-not-exists']) {
        report(`Topic ${name} is there already.`);
      } else {
        demand(`topic '${name}'`, errorCode, errorMessage);
        report(`Created topic ${name}.`);
      }
    }
  });
});
