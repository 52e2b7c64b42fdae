import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, connect } from '../../pkg/client/index.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { connectMqtt } from '../mqtt/client.ts';

let broker: RunningBroker;
let asker: Client;
let responder: Client;

beforeEach(async () => {
  broker = await startBroker({ listen: ['tcp://localhost:0'], memory: true, sysIntervalMs: 0 });
  [asker, responder] = await Promise.all([connect(broker.url), connect(broker.url)]);
});
afterEach(async () => {
  await Promise.all([asker.close(), responder.close()]);
  await broker.close();
});

describe('a request', () => {
  it('gets its own answer, among many that are under way', async () => {
    await responder.respond('double', async (message) => {
      const number = Number(message.text());
      // The later ones are answered first.
      if (number < 3) await responder.ping();
      return String(number * 2);
    });
    const answers = await Promise.all([1, 2, 3, 4].map((number) => asker.request('double', String(number))));
    expect(answers.map((answer) => answer.text())).toEqual(['2', '4', '6', '8']);
  });

  it('gets what goes with an answer, or why there is none', async () => {
    responder.on('error', () => {});
    await responder.respond('a/+', ({ topic }) => {
      if (topic === 'a/bad') throw new Error('nobody knows');
      return { payload: '22.5', headers: { unit: 'C' }, contentType: 'text/plain' };
    });
    const answer = await asker.request('a/good', '', { qos: 1 });
    expect([answer.text(), answer.headers, answer.contentType]).toEqual([
      '22.5',
      { unit: 'C' },
      'text/plain',
    ]);
    await expect(asker.request('a/bad', '')).rejects.toMatchObject({
      code: 'response-failed',
      message: 'nobody knows',
    });
  });

  it('fails where nobody answers in time, or it is given up', async () => {
    await expect(asker.request('nobody', '', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'timeout' });
    const signal = AbortSignal.abort(new Error('given up'));
    await expect(asker.request('nobody', '', { signal })).rejects.toThrow('given up');
  });

  it('is answered by clients of MQTT, which know it by response topic and correlation data', async () => {
    const mqtt = await connectMqtt(broker.url, 5, { clientId: 'mqtt' });
    await mqtt.subscribe('ask', 0);
    const answer = asker.request('ask', 'x');
    const { properties } = await mqtt.message();
    mqtt.publish(properties.responseTopic!, 'y', {
      properties: { correlationData: properties.correlationData! },
    });
    expect((await answer).text()).toBe('y');
  });
});
