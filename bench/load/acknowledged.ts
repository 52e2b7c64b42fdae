import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, FrameBit, FrameType } from '../../internal/protocol/frame/frame.ts';
import { payloadWith } from '../../internal/protocol/frame/properties.ts';
import type { AcknowledgedCase, AcknowledgedFramesCase } from '../live-cases.ts';
import { mqttPersistent, subackPacket, subscribePacket } from '../peers/mqtt.ts';
import { speakingMqtt, type Wire } from '../peers/peer.ts';
import { Connection } from './connection.ts';
import { CountingPublisher, CountingSubscriber } from './frames/counting.ts';
import { measure } from './meter.ts';
import { AcknowledgedPublisher } from './mqtt/publisher.ts';
import { AcknowledgingSubscriber } from './mqtt/subscriber.ts';
import type { Scenario, Setting } from './scenario.ts';

/** How many messages the publisher may be ahead of the subscriber: a broker keeps them all. */
const AHEAD_MESSAGES = 4_096;
/** Until everybody is at speed, at the beginning of each round. */
const RUN_UP_MS = 200;
/** Nothing arrived for so long: it will not come any more. */
const LOST_AFTER_MS = 12_000;
const POLL_MS = 5;
const TOPIC = 'sensors/temp';

/** Both ends of a flow whose messages are acknowledged on both ways. */
interface Flow {
  publishing: Connection;
  subscribing: Connection;
  publisher: AcknowledgedPublisher | CountingPublisher;
  subscriber: AcknowledgingSubscriber | CountingSubscriber;
}

/** One publisher with a clean session, one subscriber; every message is acknowledged on both ways. */
export async function acknowledged(chosen: AcknowledgedCase, setting: Setting): Promise<Scenario> {
  return scenarioOf(await mqttFlow(chosen, setting), setting.brokerPid);
}

/** The same with frames, and with MQTT and QoS 1 in the same place for comparison. */
export async function acknowledgedFrames(
  { payloadBytes, inFlight }: AcknowledgedFramesCase,
  setting: Setting,
): Promise<Scenario> {
  const { variant, peer, brokerPid } = setting;
  const flow =
    variant === 'frames'
      ? await framesFlow(payloadBytes, inFlight, setting)
      : await mqttFlow(
          { qos: 1, session: 'clean', payloadBytes, inFlight },
          { ...setting, peer: speakingMqtt(peer)! },
        );
  return scenarioOf(flow, brokerPid);
}

async function mqttFlow(
  { qos, session, payloadBytes, inFlight }: Omit<AcknowledgedCase, 'kind' | 'name' | 'title'>,
  { peer, address }: Setting,
): Promise<Flow> {
  const wireOfSession = session === 'persistent' ? mqttPersistent : peer.wire;
  const subscribing = await Connection.open(address, wireOfSession, 'sub');
  await subscribing.askFor(subackPacket(qos), subscribePacket(TOPIC, qos));
  const publishing = await Connection.open(address, peer.wire, 'pub');
  const subscriber = new AcknowledgingSubscriber(subscribing, TOPIC, qos);
  const publisher = new AcknowledgedPublisher(publishing, { topic: TOPIC, payloadBytes, qos }, inFlight);
  return { publishing, subscribing, publisher, subscriber };
}

async function framesFlow(payloadBytes: number, inFlight: number, { peer, address }: Setting): Promise<Flow> {
  const subscribing = await Connection.open(address, offering(peer.wire, 'delivery'), 'sub');
  const asked = payloadWith({ acknowledged: true }, new Uint8Array(0));
  await subscribing.ask(encodeFrame(FrameType.subscribe | FrameBit.properties, TOPIC, asked, 'sub'));
  const publishing = await Connection.open(address, offering(peer.wire, 'acks'), 'pub');
  const message = { topic: TOPIC, payloadBytes, clientId: 'pub' };
  const subscriber = new CountingSubscriber(subscribing, message);
  const publisher = new CountingPublisher(publishing, message, inFlight);
  return { publishing, subscribing, publisher, subscriber };
}

function offering(wire: Wire, offer: string): Wire {
  return { ...wire, connect: (clientId) => encodeFrame(FrameType.connect, '', offer, clientId) };
}

function scenarioOf({ publishing, subscribing, publisher, subscriber }: Flow, brokerPid: number): Scenario {
  let problem: string | undefined;
  let isRunning = false;
  const fail = (message: string): void => {
    problem ??= message;
    isRunning = false;
  };
  const pump = (): void => {
    if (isRunning) publisher.send(AHEAD_MESSAGES - (publisher.sentMessages - subscriber.receivedMessages));
  };
  for (const party of [subscriber, publisher]) party.onProblem = fail;
  for (const connection of [subscribing, publishing]) connection.onEnd = fail;
  publisher.onAcknowledged = pump;
  subscriber.onReceived = pump;

  /** Waits for what is on its way; returns how many messages never came. */
  async function settle(): Promise<number> {
    let deadlineMs = performance.now() + LOST_AFTER_MS;
    let before = -1;
    while (problem === undefined) {
      const { receivedMessages } = subscriber;
      const { sentMessages, acknowledgedMessages } = publisher;
      if (receivedMessages === sentMessages && acknowledgedMessages === sentMessages) return 0;
      if (receivedMessages + acknowledgedMessages !== before) {
        before = receivedMessages + acknowledgedMessages;
        deadlineMs = performance.now() + LOST_AFTER_MS;
      }
      if (performance.now() > deadlineMs)
        return sentMessages - Math.min(receivedMessages, acknowledgedMessages);
      await sleep(POLL_MS);
    }
    throw new Error(problem);
  }

  return {
    async round(seconds) {
      isRunning = true;
      pump();
      await sleep(RUN_UP_MS);
      const meter = measure(brokerPid, () => subscriber.receivedMessages);
      await sleep(seconds * 1000);
      const figures = meter();
      isRunning = false;
      const lost = await settle();
      if (lost > 0) fail(`${lost} messages were lost or not acknowledged`);
      return { ...figures, lost };
    },
  };
}
