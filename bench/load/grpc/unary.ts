import { setTimeout as sleep } from 'node:timers/promises';
import { encodeEnveloped } from '../../../internal/protocol/grpc/write-message.ts';
import { ProduceRequest } from '../../../internal/protocol/smq/smq.ts';
import type { GrpcUnaryCase } from '../../grpc-cases.ts';
import { measure } from '../meter.ts';
import type { GrpcSetting, Scenario } from '../scenario.ts';
import { GrpcClient } from './client.ts';
import { createTopic, TOPIC } from './topic.ts';

/** Until everybody is at speed, at the beginning of each round. */
const RUN_UP_MS = 200;
const POLL_MS = 5;

/** So often a call is made before anything is measured: a runtime compiles what is called often, in several steps. */
const WARM_UP_CALLS = 20_000;
const WARM_UP_CALLERS = 32;
const WARM_UP_AT_MOST_MS = 15_000;

/** Each caller waits for its answer before it calls again. */
export async function grpcUnary(
  { callers, messageBytes }: GrpcUnaryCase,
  { grpcPort, brokerPid }: GrpcSetting,
): Promise<Scenario> {
  const client = new GrpcClient(grpcPort);
  await createTopic(client);
  const request = encodeEnveloped(ProduceRequest, { topic: TOPIC, message: new Uint8Array(messageBytes) });
  let answered = 0;
  let isRunning = false;

  async function call(): Promise<void> {
    while (isRunning) {
      await client.callRaw('Produce', request);
      answered++;
    }
  }

  isRunning = true;
  const warmingUp = Promise.all(Array.from({ length: WARM_UP_CALLERS }, call));
  const endMs = performance.now() + WARM_UP_AT_MOST_MS;
  while (answered < WARM_UP_CALLS && performance.now() < endMs)
    await Promise.race([warmingUp, sleep(POLL_MS)]);
  isRunning = false;
  await warmingUp;

  return {
    async round(seconds) {
      isRunning = true;
      const calls = Promise.all(Array.from({ length: callers }, call));
      await Promise.race([calls, sleep(RUN_UP_MS)]);
      const meter = measure(brokerPid, () => answered);
      await Promise.race([calls, sleep(seconds * 1000)]);
      const figures = meter();
      isRunning = false;
      await calls;
      return figures;
    },
  };
}
