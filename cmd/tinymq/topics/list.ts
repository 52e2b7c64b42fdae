import { jsonLine, printableText } from '../../../internal/lib/printable.ts';
import { command } from '../../cli/run-program.ts';
import { withKafka } from '../connect.ts';
import { allTopics } from './all-topics.ts';
import { topicsListProgram } from './flags.ts';

export const list = command(topicsListProgram, async (invocation) => {
  const { values } = invocation;
  const topics = await withKafka(invocation, (client) => allTopics(client, values['exclude-internal']));
  const lines = topics.map(({ name, topicId, partitions, isInternal }) =>
    values.json
      ? jsonLine({ topic: name, topicId, partitionCount: partitions.length, isInternal })
      : `${printableText(name!)}\n`,
  );
  process.stdout.write(lines.join(''));
});
