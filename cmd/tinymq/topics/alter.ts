import { demand } from '../../../internal/clients/kafka/refusal.ts';
import { createPartitions } from '../../../internal/protocol/kafka/apis/37-create-partitions.ts';
import { incrementalAlterConfigs } from '../../../internal/protocol/kafka/apis/44-incremental-alter-configs.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { reporter } from '../report.ts';
import { topicsAlterProgram } from './flags.ts';
import { settingOf, TOPIC_RESOURCE } from './settings.ts';

const SET = 0;
const DELETE = 1;
const TIMEOUT_MS = 30_000;

export const alter = command(topicsAlterProgram, async (invocation) => {
  const { values, operands } = invocation;
  const [name] = operands;
  const configs = [
    ...values.config.map((text) => ({ ...settingOf(text), configOperation: SET })),
    ...values['delete-config'].map((setting) => ({ name: setting, value: null, configOperation: DELETE })),
  ];
  const count = values.partitions;
  if (count === undefined && configs.length === 0) {
    throw new UsageError('say what to change by -partitions, -config or -delete-config');
  }
  const report = reporter(values.quiet);
  await withKafka(invocation, async (client) => {
    if (configs.length > 0) {
      const { responses } = await client.sendToController(incrementalAlterConfigs, {
        resources: [{ resourceType: TOPIC_RESOURCE, resourceName: name, configs }],
        validateOnly: false,
      });
      for (const { errorCode, errorMessage } of responses) demand(`topic '${name}'`, errorCode, errorMessage);
      report(`Changed ${configs.map((setting) => setting.name).join(', ')} of topic ${name}.`);
    }
    if (count !== undefined) {
      const { results } = await client.sendToController(createPartitions, {
        topics: [{ name, count, assignments: null }],
        timeoutMs: TIMEOUT_MS,
        validateOnly: false,
      });
      for (const { errorCode, errorMessage } of results) demand(`topic '${name}'`, errorCode, errorMessage);
      report(`Topic ${name} has ${count} partitions now.`);
    }
  });
});
