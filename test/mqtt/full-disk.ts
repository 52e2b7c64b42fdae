import { expect } from 'vitest';
import type { Packet } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerProcess, brokerProcess, program, REPORTING, start } from '../support/broker-process.ts';
import type { RawMqtt } from './client.ts';

/** Some hundred of them fill the small disk. */
const TEXT_BYTES = 50_000;

/** A broker of the sources that keeps its data in a folder. */
export function startOnDisk(dataDir: string, flags: readonly string[] = []): Promise<BrokerProcess> {
  const all = ['-address', 'localhost:0', '-data-dir', dataDir, ...flags, ...REPORTING];
  return brokerProcess(start(program('broker'), [...all]));
}

/** A long text with a number. */
export function textOf(number: number): string {
  return `${number} `.padEnd(TEXT_BYTES, '.');
}

export function numberOf(payload: Uint8Array): string {
  return Buffer.from(payload.subarray(0, 20)).toString().split(' ')[0];
}

/** Live messages between two clients with clean sessions. */
export async function expectLiveTraffic(publisher: RawMqtt, subscriber: RawMqtt): Promise<void> {
  for (let number = 0; number < 20; number++) {
    publisher.publish('live', `${number}`);
    expect((await subscriber.texts(1))[0]).toBe(`live ${number}`);
  }
}

/** The next packet; undefined where the connection ends instead. */
export async function answerOf(client: RawMqtt): Promise<Packet | undefined> {
  try {
    return await client.any();
  } catch (error) {
    if (client.hasEnded) return undefined;
    throw error;
  }
}
