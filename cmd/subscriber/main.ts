import { Failure } from '../../internal/lib/failure.ts';
import { printableText } from '../../internal/lib/printable.ts';
import { connectClient, failureOf } from '../cli/connection.ts';
import { Output } from '../cli/output.ts';
import { Rate } from '../cli/rate.ts';
import { coloursFor, complain, EXIT_DONE, EXIT_TIMEOUT, runProgram } from '../cli/run-program.ts';
import { filtersOf, startOf, topicMatcher } from './filters.ts';
import { subscriberProgram } from './flags.ts';
import { rendererOf } from './render.ts';
import { Silence } from './silence.ts';

runProgram(subscriberProgram, async (invocation) => {
  const { values, stop } = invocation;
  const filters = filtersOf(values.topic);
  const from = startOf(values.from);
  const isWanted = topicMatcher(values.match, values.except);
  const render = rendererOf(values, coloursFor(process.stdout), (problem) => complain('subscriber', problem));
  const client = await connectClient('subscriber', invocation, values.quiet);
  const output = new Output(
    process.stdout,
    () => client.pause(),
    () => client.resume(),
  );
  const rate = values.stats ? new Rate('received') : undefined;
  let received = 0;

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
      client.on('message', (message) => {
        if (received === values.count || !isWanted(message.topic)) return;
        received++;
        silence.broken();
        rate?.add(message.size);
        if (render !== undefined) output.write(render(message));
        if (received === values.count) done();
      });
      subscribeAll().catch(failed);
    });
  } finally {
    await client.close();
    rate?.end();
    await output.end();
  }

  async function subscribeAll(): Promise<void> {
    await Promise.all(filters.map((filter) => client.subscribe(filter, () => {}, { from })));
    if (!values.quiet && process.stderr.isTTY) {
      process.stderr.write(`Subscribed to ${filters.map(printableText).join(', ')}; stop with Ctrl-C\n`);
    }
  }
});
