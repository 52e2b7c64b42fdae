import { setTimeout as sleep } from 'node:timers/promises';
import type { AcknowledgedLogCase } from '../live-cases.ts';
import { Connection } from './connection.ts';
import { measure } from './meter.ts';
import { AcknowledgedPublisher } from './mqtt/publisher.ts';
import type { Scenario, Setting } from './scenario.ts';

/** Until everybody is at speed, at the beginning of each round. */
const RUN_UP_MS = 200;
/** Nothing was acknowledged for so long: it will not be any more. */
const LOST_AFTER_MS = 12_000;
const POLL_MS = 5;
const TOPIC = 'sensors/temp';

/** Many publishers of one topic, each with as many messages under way as it may have, and nobody who reads. */
export async function acknowledgedLog(
  { publishers: count, payloadBytes, inFlight }: AcknowledgedLogCase,
  { peer, address, brokerPid }: Setting,
): Promise<Scenario> {
  const publishers: AcknowledgedPublisher[] = [];
  let problem: string | undefined;
  let isRunning = false;
  const fail = (message: string): void => {
    problem ??= message;
    isRunning = false;
  };
  for (let number = 0; number < count; number++) {
    const connection = await Connection.open(address, peer.wire, `pub-${number}`);
    const publisher = new AcknowledgedPublisher(connection, { topic: TOPIC, payloadBytes, qos: 1 }, inFlight);
    publisher.onProblem = fail;
    connection.onEnd = fail;
    publisher.onAcknowledged = () => {
      if (isRunning) publisher.send(inFlight);
    };
    publishers.push(publisher);
  }
  const acknowledgedMessages = (): number =>
    publishers.reduce((sum, publisher) => sum + publisher.acknowledgedMessages, 0);
  const sentMessages = (): number => publishers.reduce((sum, publisher) => sum + publisher.sentMessages, 0);

  /** Waits for what is under way; returns how many messages were never acknowledged. */
  async function settle(): Promise<number> {
    let deadlineMs = performance.now() + LOST_AFTER_MS;
    let before = -1;
    while (problem === undefined) {
      const acknowledged = acknowledgedMessages();
      const open = sentMessages() - acknowledged;
      if (acknowledged !== before) deadlineMs = performance.now() + LOST_AFTER_MS;
      before = acknowledged;
      if (open === 0 || performance.now() > deadlineMs) return open;
      await sleep(POLL_MS);
    }
    throw new Error(problem);
  }

  return {
    async round(seconds) {
      isRunning = true;
      for (const publisher of publishers) publisher.send(inFlight);
      await sleep(RUN_UP_MS);
      const meter = measure(brokerPid, acknowledgedMessages);
      await sleep(seconds * 1000);
      const figures = meter();
      isRunning = false;
      const lost = await settle();
      if (lost > 0) fail(`${lost} messages were not acknowledged`);
      return { ...figures, lost };
    },
  };
}
