import { publisherProgram } from '../../internal/config/publisher.ts';
import { connectClient } from '../shared/connection.ts';
import { runProgram } from '../shared/run-program.ts';
import { payloadsOf } from './payloads.ts';
import { Reporter } from './reporter.ts';
import { topicOf } from './topic.ts';

await runProgram(publisherProgram, async (invocation) => {
  const { values, stop } = invocation;
  const topic = topicOf(values.topic);
  const payloads = payloadsOf(values, stop);
  const client = await connectClient('publisher', invocation, values.quiet);
  const reporter = new Reporter(topic, values);
  const left = new Promise<never>((_, reject) => {
    client.on('close', (error) => error !== undefined && reject(error));
  });
  left.catch(() => {});

  async function publishAll(): Promise<void> {
    for await (const payload of payloads) {
      if (stop.aborted) break;
      if (client.publish(topic, payload) !== true) await client.drained();
      reporter.published(payload);
    }
    // What was published has arrived when the broker answers what was sent after it.
    if (client.connected) await client.ping();
  }

  try {
    await Promise.race([publishAll(), left]);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await client.close();
    await reporter.end();
  }
});
