import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AcknowledgedLatencyCase } from '../../live-cases.ts';
import { mqttPersistent, subackPacket, subscribePacket } from '../../peers/mqtt.ts';
import { percentile } from '../../stats.ts';
import { Connection } from '../connection.ts';
import { measure } from '../meter.ts';
import { BURSTS_PER_SECOND, burstsInTime } from '../pace.ts';
import type { Figures, Scenario, Setting } from '../scenario.ts';
import { AcknowledgedPublisher } from './publisher.ts';
import { AcknowledgingSubscriber } from './subscriber.ts';

/** Messages that wait for an acknowledgement at once: far more than a broker that keeps up ever has. */
const MOST_IN_FLIGHT = 8_000;
/** Messages that were due, and how long ago: some seconds' worth. */
const REMEMBERED_MESSAGES = 65_536;
const RUN_UP_SECONDS = 0.5;
/** Nothing arrived for so long: it will not come any more. */
const LOST_AFTER_MS = 5_000;
const POLL_MS = 1;
const TOPIC = 'sensors/temp';

/**
 * How long QoS 1 messages are on their way to a subscriber with a persistent session, and how long until their publisher
 * knows them to be safe, at a fixed rate. A message's time begins when it is due, also where the broker is behind and it
 * is sent later.
 */
export async function acknowledgedLatency(
  { payloadBytes, messagesPerSecond }: AcknowledgedLatencyCase,
  { peer, address, brokerPid }: Setting,
): Promise<Scenario> {
  const subscribing = await Connection.open(address, mqttPersistent, 'sub');
  await subscribing.askFor(subackPacket(1), subscribePacket(TOPIC, 1));
  const publishing = await Connection.open(address, peer.wire, 'pub');
  const subscriber = new AcknowledgingSubscriber(subscribing, TOPIC, 1);
  const publisher = new AcknowledgedPublisher(
    publishing,
    { topic: TOPIC, payloadBytes, qos: 1 },
    MOST_IN_FLIGHT,
  );
  const dueAtMs = new Float64Array(REMEMBERED_MESSAGES);
  let dueMessages = 0;
  const arrivals = new Passages(dueAtMs);
  const acknowledgements = new Passages(dueAtMs);
  let problem: string | undefined;
  const fail = (message: string): void => {
    problem ??= message;
  };

  for (const party of [subscriber, publisher]) party.onProblem = fail;
  for (const connection of [subscribing, publishing]) connection.onEnd = fail;
  const send = (): void => publisher.send(dueMessages - publisher.sentMessages);
  subscriber.onReceived = () => arrivals.note(subscriber.receivedMessages);
  publisher.onAcknowledged = () => {
    acknowledgements.note(publisher.acknowledgedMessages);
    send();
  };

  /** Sends for a while, and waits until every message has arrived and is acknowledged; returns how many never were. */
  async function run(seconds: number): Promise<number> {
    await burstsInTime(seconds, () => {
      const now = performance.now();
      for (let left = messagesPerSecond / BURSTS_PER_SECOND; left > 0; left--) {
        dueAtMs[dueMessages++ % REMEMBERED_MESSAGES] = now;
      }
      if (dueMessages - Math.min(arrivals.count, acknowledgements.count) > REMEMBERED_MESSAGES) {
        fail(`it does not keep up with ${messagesPerSecond} messages a second`);
      }
      if (problem === undefined) send();
    });
    let deadlineMs = performance.now() + LOST_AFTER_MS;
    let before = -1;
    while (problem === undefined) {
      const done = Math.min(arrivals.count, acknowledgements.count);
      const lost = dueMessages - done;
      if (done > before) deadlineMs = performance.now() + LOST_AFTER_MS;
      before = done;
      if (lost === 0 || performance.now() > deadlineMs) return lost;
      await sleep(POLL_MS);
    }
    throw new Error(problem);
  }

  return {
    async round(seconds) {
      await run(RUN_UP_SECONDS);
      for (const passages of [arrivals, acknowledgements]) passages.takeSorted();
      const meter = measure(brokerPid, () => subscriber.receivedMessages);
      const lost = await run(seconds);
      if (lost > 0) fail(`${lost} messages were lost or not acknowledged`);
      const { brokerCpuNs, brokerBusy } = meter();
      return {
        ...percentilesOf(arrivals, ['p50Us', 'p99Us', 'p999Us']),
        ...percentilesOf(acknowledgements, ['acknowledgedP50Us', 'acknowledgedP99Us', 'acknowledgedP999Us']),
        brokerCpuNs,
        brokerBusy,
        lost,
      };
    },
  };
}

/** How long messages took to some point; they pass it in the order in which they were due. */
class Passages {
  count = 0;
  readonly #dueAtMs: Float64Array;
  #latenciesMs: number[] = [];

  constructor(dueAtMs: Float64Array) {
    this.#dueAtMs = dueAtMs;
  }

  /** So many have passed by now. */
  note(count: number): void {
    const now = performance.now();
    for (; this.count < count; this.count++) {
      this.#latenciesMs.push(now - this.#dueAtMs[this.count % this.#dueAtMs.length]);
    }
  }

  takeSorted(): Float64Array {
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    this.#latenciesMs = [];
    return sorted;
  }
}

const SHARES = [0.5, 0.99, 0.999];

function percentilesOf(passages: Passages, names: readonly string[]): Figures {
  const sorted = passages.takeSorted();
  return Object.fromEntries(names.map((name, index) => [name, percentile(sorted, SHARES[index]) * 1000]));
}
