import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect } from '../../pkg/client/index.ts';
import type { SdkCase } from '../live-cases.ts';
import type { Address } from '../peers/peer.ts';
import { connectAll } from './connect-all.ts';
import { Flow } from './flow.ts';
import { measure } from './meter.ts';
import type { Scenario, Setting } from './scenario.ts';
import { type Traffic, trafficOf } from './traffic.ts';

const RUN_UP_MS = 300;
const ARRIVAL_TIMEOUT_MS = 3_000;

/** A program with the SDK in the place of the publisher or of the subscriber; the other side is the generator. */
export async function sdk({ workload }: SdkCase, setting: Setting): Promise<Scenario> {
  const traffic = trafficOf(workload, setting.peer.wire);
  if (setting.variant === 'sdk publishes') return publishing(traffic, setting, workload.payloadBytes);
  if (setting.variant === 'sdk receives') return receiving(traffic, setting);
  const { publishers, subscribers } = await connectAll(setting, traffic);
  const flow = new Flow(publishers, traffic);
  subscribers[0].onBytes = (bytes) => flow.received(bytes);
  return flowing(flow, setting, () => flow.receivedBytes / traffic.bytesPerDelivery);
}

async function receiving(traffic: Traffic, setting: Setting): Promise<Scenario> {
  const { publishers } = await connectAll(setting, { ...traffic, subscriptions: [] });
  const client = await connect(urlOf(setting.address), { clientId: 'sub-0' });
  const flow = new Flow(publishers, traffic);
  let messages = 0;
  let payloadBytes = 0;
  await client.subscribe(traffic.subscriptions[0][0], (message) => {
    messages++;
    payloadBytes += message.payload.length;
    flow.received(traffic.delivery.bytes);
  });
  const scenario = flowing(flow, setting, () => messages);
  return {
    async round(seconds) {
      const figures = await scenario.round(seconds);
      if (payloadBytes === 0) throw new Error('the messages were empty');
      return figures;
    },
  };
}

function flowing(flow: Flow, { brokerPid }: Setting, delivered: () => number): Scenario {
  return {
    async round(seconds) {
      flow.start();
      await sleep(RUN_UP_MS);
      const meter = measure(brokerPid, delivered);
      await sleep(seconds * 1000);
      const figures = meter();
      return { ...figures, lost: await flow.stop() };
    },
  };
}

async function publishing(traffic: Traffic, setting: Setting, payloadBytes: number): Promise<Scenario> {
  const { subscribers } = await connectAll(setting, { ...traffic, publisherIds: [] });
  const client = await connect(urlOf(setting.address), { clientId: traffic.publisherIds[0] });
  const payload = new Uint8Array(payloadBytes).fill(0x78);
  let receivedBytes = 0;
  subscribers[0].onBytes = (bytes) => {
    receivedBytes += bytes;
  };
  const topic = traffic.subscriptions[0][0];

  return {
    async round(seconds) {
      const startBytes = receivedBytes;
      const stop = new AbortController();
      const published = publishUntil(client, topic, payload, stop.signal);
      await sleep(RUN_UP_MS);
      const meter = measure(setting.brokerPid, () => receivedBytes / traffic.delivery.bytes);
      await sleep(seconds * 1000);
      const figures = meter();
      stop.abort();
      const wantedBytes = startBytes + (await published) * traffic.delivery.bytes;
      const deadlineMs = performance.now() + ARRIVAL_TIMEOUT_MS;
      while (receivedBytes < wantedBytes && performance.now() < deadlineMs) await sleep(5);
      return { ...figures, lost: (wantedBytes - receivedBytes) / traffic.delivery.bytes };
    },
  };
}

/** The loop of an ordinary program. Returns how many messages it published. */
async function publishUntil(
  client: Client,
  topic: string,
  payload: Uint8Array,
  stop: AbortSignal,
): Promise<number> {
  let count = 0;
  while (!stop.aborted) {
    const isGone = client.publish(topic, payload);
    count++;
    if (isGone !== true) await isGone;
  }
  return count;
}

function urlOf(address: Address): string {
  return address.transport === 'unix' ? `unix://${address.path}` : `tcp://127.0.0.1:${address.port}`;
}
