import { connectClient, failureOf } from '../cli/connection.ts';
import { runProgram } from '../cli/run-program.ts';
import { publisherProgram } from './flags.ts';
import { messageOptionsOf } from './message-options.ts';
import { payloadsOf } from './payloads.ts';
import { publishAll } from './publish-all.ts';
import { Reporter } from './reporter.ts';
import { topicOf } from './topic.ts';

runProgram(publisherProgram, async (invocation) => {
  const { values, stop } = invocation;
  const topic = topicOf(values.topic);
  const options = messageOptionsOf(values);
  const payloads = await payloadsOf(values, process.stdin, stop);
  const client = await connectClient('publisher', invocation, values.quiet);
  const reporter = new Reporter(topic, values);
  const isRepeating = values.interval !== undefined;
  try {
    await Promise.race([
      publishAll(client, topic, payloads, {
        reporter,
        options,
        isRepeating,
        awayAtMostMs: values.timeout,
        stop,
      }),
      failureOf(client),
    ]);
  } finally {
    // An input that stays open would keep the program from ending.
    process.stdin.destroy();
    await client.close();
    await reporter.end();
  }
});
