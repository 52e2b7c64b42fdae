import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { allowAll } from '../../internal/access/guard.ts';
import { AdminClient, socketTransport } from '../../internal/admin/client.ts';
import { type ShownStep, type TraceQuery, traceMessages } from '../../internal/admin/operations/trace.ts';
import { adminSocketPath } from '../../internal/admin/socket-path.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { TestClient } from '../grpc/grpc-client.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { urlOf } from '../support/listeners.ts';
import { connectRaw } from '../support/raw-client.ts';
import { startTinymq } from '../support/tinymq-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'tinymq-trace-'));
let broker: RunningBroker;
beforeAll(async () => {
  broker = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], dataDir: folder, adminSocket: true, sysIntervalMs: 0 },
    guard: {
      ...allowAll,
      mayPublish: (_, topic) => (topic.startsWith('secret/') ? 'not for you' : undefined),
    },
    keep: [{ filter: 'way/kept/#' }],
    grpc: { listen: ['grpc://127.0.0.1:0'] },
    http: { listen: ['http://127.0.0.1:0'] },
  });
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true });
});
const frames = () => urlOf(broker, 'frames');

/** Watches until the test ends; returns the steps so far, without their times. */
async function traced(query: TraceQuery): Promise<Partial<ShownStep>[]> {
  const steps: Partial<ShownStep>[] = [];
  const before = await openTraces();
  const client = new AdminClient(socketTransport(adminSocketPath(folder)));
  void client
    .watch(traceMessages, { for: 60, ...query }, ({ at, ...step }) => {
      expect(Date.parse(at)).not.toBeNaN();
      steps.push(step);
    })
    .catch(() => {});
  await vi.waitFor(async () => expect(await openTraces()).toBe(before + 1), PATIENCE);
  return steps;
}

const PATIENCE = { timeout: 20_000, interval: 20 };
const stepsOf = (steps: Partial<ShownStep>[]) => steps.map(({ step }) => step);
const openTraces = async () =>
  Number(
    (await fetch(`${urlOf(broker, 'http')}/metrics`).then((all) => all.text())).match(
      /^tinymq_traces (\d+)$/m,
    )?.[1],
  );

it('shows publisher, subscribers with their filters, session, acknowledgement and log of a message', async () => {
  const steps = await traced({ filter: 'way/kept/#' });
  const plain = await connectRaw(frames(), 't-plain');
  await plain.subscribe('way/#');
  const sure = await connectMqtt(frames(), 5, { clientId: 't-sure' });
  await sure.subscribe('way/+/a', 1);
  const away = await connectMqtt(frames(), 5, {
    ...{ clientId: 't-away', cleanStart: false, properties: { sessionExpiryIntervalS: 100 } },
  });
  await away.subscribe('way/kept/a', 1);
  away.disconnect();
  await away.ended();
  const publisher = await connectMqtt(frames(), 5, { clientId: 't-publisher' });
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const properties = { userProperties: [['traceparent', traceparent]] as [string, string][] };
  await publisher.publishSafely('way/kept/a', 'hello', { properties });
  await sure.next(PacketType.publish);
  await vi.waitFor(
    () => expect(stepsOf(steps)).toEqual(expect.arrayContaining(['acknowledged', 'kept'])),
    PATIENCE,
  );
  const topic = 'way/kept/a';
  expect(steps[0]).toMatchObject({
    step: 'published',
    topic,
    client: 't-publisher',
    door: 'mqtt',
    qos: 1,
    bytes: 5,
    traceparent,
  });
  expect(steps).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        step: 'matched',
        client: 't-plain',
        filters: ['way/#'],
        publisher: 't-publisher',
      }),
      expect.objectContaining({ step: 'matched', client: 't-sure', filters: ['way/+/a'] }),
      expect.objectContaining({ step: 'matched', client: 't-away', filters: ['way/kept/a'] }),
      expect.objectContaining({ step: 'waits', client: 't-away', waiting: 1 }),
      expect.objectContaining({ step: 'sent', client: 't-sure', qos: 1 }),
      expect.objectContaining({ step: 'acknowledged', client: 't-sure' }),
      expect.objectContaining({ step: 'kept', log: 'way.kept.a', partition: 0, offset: 0, count: 1 }),
    ]),
  );
  expect(steps.filter(({ step }) => step === 'acknowledged')).toHaveLength(1);
});

it('shows the member of a group that was chosen, what nobody wants, and what is refused by whom', async () => {
  const steps = await traced({ name: 't-sender' });
  const member = await connectRaw(frames(), 't-member');
  await member.subscribe('$share/g/jobs/#');
  const sender = await connectMqtt(frames(), 5, { clientId: 't-sender' });
  sender.publish('jobs/1', 'x');
  sender.publish('nobody', 'x');
  sender.publish('secret/1', 'x');
  await vi.waitFor(() => expect(steps).toHaveLength(5), PATIENCE);
  expect(steps).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ step: 'published', topic: 'jobs/1', client: 't-sender' }),
      expect.objectContaining({
        step: 'shared',
        topic: 'jobs/1',
        client: 't-member',
        filters: ['$share/g/jobs/#'],
      }),
      expect.objectContaining({ step: 'published', topic: 'nobody' }),
      expect.objectContaining({ step: 'unmatched', topic: 'nobody' }),
      expect.objectContaining({
        step: 'refused',
        topic: 'secret/1',
        code: 'not-authorized',
        message: expect.stringContaining('not for you'),
      }),
    ]),
  );
});

it('shows what comes into a log by its own door, and whom it reaches', async () => {
  const steps = await traced({ filter: 'by/log' });
  const subscriber = await connectRaw(frames(), 't-live');
  await subscriber.subscribe('by/log');
  const client = new TestClient(urlOf(broker, 'grpc'));
  await client.unary('CreateTopic', { topic: 'by/log' });
  await client.unary('Produce', { topic: 'by/log', message: Buffer.from('x') });
  await subscriber.message();
  client.close();
  expect(stepsOf(steps)).toEqual(['kept', 'published', 'matched']);
  expect(steps).toMatchObject([{ log: 'by.log', offset: 0 }, { door: 'log' }, { client: 't-live' }]);
});

it('is bounded: so many a second, so many at once, and for so long', async () => {
  const steps = await traced({ filter: 'many' });
  const publisher = await connectRaw(frames(), 't-many');
  for (let n = 0; n < 3_000; n++) publisher.publish('many', 'x');
  await publisher.ping();
  publisher.publish('many', 'last');
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  publisher.publish('many', 'later');
  await vi.waitFor(() => expect(stepsOf(steps)).toContain('left-out'), PATIENCE);
  expect(steps.length).toBeLessThan(1_100);
  // Four are running by now.
  const one = new AdminClient(socketTransport(adminSocketPath(folder)));
  await expect(one.watch(traceMessages, {}, () => {})).rejects.toThrow('4 are running');
});

it('is printed by tinymq, and served by HTTP', async () => {
  // The traces of the tests before end with the broker; this one is of another.
  const own = mkdtempSync(join(folder, 'own-'));
  const other = await startBroker({
    ...{ listen: ['tcp://127.0.0.1:0'], dataDir: own, adminSocket: true, sysIntervalMs: 0 },
    http: { listen: ['http://127.0.0.1:0'] },
  });
  onTestFinished(() => other.close());
  using process = startTinymq(['trace', 'printed', '-for', '20', '-data-dir', own]);
  const client = await connectRaw(urlOf(other, 'frames'), 't-print');
  await vi.waitFor(() => {
    client.publish('printed', 'x');
    expect(process.out()).toMatch(/^[\d:.]+ {2}published {5}printed {2}t-print {2}.*door=frames/m);
  }, PATIENCE);
  const answer = await fetch(`${urlOf(other, 'http')}/trace?client=t-print&for=1`);
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  // It ends by itself.
  expect(await answer.text()).toMatch(/^:\n\n/);
  expect((await fetch(`${urlOf(other, 'http')}/trace?for=0`)).status).toBe(400);
});
