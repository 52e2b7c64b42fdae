import { Failure } from '../../internal/lib/failure.ts';
import { printableText } from '../../internal/lib/printable.ts';
import type { Client, Message } from '../../pkg/client/index.ts';
import { connectClient, failureOf } from '../cli/connection.ts';
import { Output } from '../cli/output.ts';
import { Rate } from '../cli/rate.ts';
import { coloursFor, complain, EXIT_DONE, EXIT_TIMEOUT, runProgram } from '../cli/run-program.ts';
import { CommandRunner } from './command-runner.ts';
import { filtersOf, topicMatcher } from './filters.ts';
import { subscriberProgram } from './flags.ts';
import { rendererOf } from './render.ts';
import { Silence } from './silence.ts';
import { sessionOf, subscribeOptionsOf } from './subscribing.ts';

runProgram(subscriberProgram, async (invocation) => {
  const { values, stop } = invocation;
  const filters = filtersOf(values.topic);
  const options = subscribeOptionsOf(values);
  const isWanted = topicMatcher(values.match, values.except);
  const complainOf = (problem: string) => complain('subscriber', problem);
  const render = rendererOf(values, coloursFor(process.stdout), complainOf);
  const client = await connectClient('subscriber', invocation, values.quiet, sessionOf(values));
  const output = new Output(
    process.stdout,
    () => client.pause(),
    () => client.resume(),
  );
  const rate = values.stats ? new Rate('received') : undefined;
  let received = 0;
  let commands: CommandRunner | undefined;

  try {
    return await new Promise<number>((end, failed) => {
      const done = () => end(EXIT_DONE);
      if (values['stop-after'] !== undefined)
        setTimeout(() => end(EXIT_TIMEOUT), values['stop-after']).unref();
      const silence = new Silence(values.timeout, () => {
        if (values.count === undefined) done();
        else failed(new Failure(`${received} of ${values.count} messages came before the -timeout`));
      });
      stop.addEventListener('abort', () => done(), { once: true });
      if (stop.aborted) done();
      failureOf(client).catch(failed);
      commands = commandsOf(client, done);
      client.on('message', (message) => {
        if (received === values.count) return;
        if (!isWanted(message.topic) || (values['skip-retained'] && message.retained)) {
          message.ack();
          return;
        }
        if (values['retained-only'] && !message.retained) {
          done();
          return;
        }
        received++;
        silence.broken();
        take(message, commands);
        if (received === values.count && commands === undefined) done();
      });
      subscribeAll()
        .then(() => values['exit-when-subscribed'] && done())
        .catch(failed);
    });
  } finally {
    await commands?.end();
    await client.close();
    rate?.end();
    await output.end();
  }

  function take(message: Message, runner: CommandRunner | undefined): void {
    rate?.add(message.size);
    if (values['remove-retained'] && message.retained) client.publish(message.topic, '', { retain: true });
    if (runner !== undefined) runner.take(message);
    else if (render !== undefined) output.write(render(message));
  }

  function commandsOf(client: Client, done: () => void): CommandRunner | undefined {
    const { exec: command, 'exec-parallel': parallel, 'exec-retries': retries } = values;
    if (command === undefined) return undefined;
    return new CommandRunner({
      ...{ command, parallel, retries, retryAfterMs: values['exec-retry-after'], complain: complainOf },
      pause: () => client.pause(),
      resume: () => client.resume(),
      dealtWith: (count) => count === values.count && done(),
    });
  }

  async function subscribeAll(): Promise<void> {
    await Promise.all(filters.map((filter) => client.subscribe(filter, () => {}, options)));
    if (!values.quiet && process.stderr.isTTY) {
      process.stderr.write(`Subscribed to ${filters.map(printableText).join(', ')}; stop with Ctrl-C\n`);
    }
  }
});
