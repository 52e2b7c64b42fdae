import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Connect, Version } from '../../internal/protocol/mqtt/packet.ts';
import { type BrokerProcess, brokerProcess, program, REPORTING, start } from '../support/broker-process.ts';
import { openMqtt, type RawMqtt } from './client.ts';

/** Starts brokers of the sources, each in a process of its own, whose folders are gone after the tests of a file. */
export function useLastingBrokers(): (dataDir: string, flags?: readonly string[]) => Promise<BrokerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'tinymq-lasting-'));
  const started: BrokerProcess[] = [];
  afterAll(async () => {
    // A test that failed has left one running.
    for (const broker of started) await broker.stop('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  return async (dataDir, flags = []) => {
    const all = ['-address', 'localhost:0', '-data-dir', join(folder, dataDir), ...flags, ...REPORTING];
    const broker = await brokerProcess(start(program('broker'), [...all]));
    started.push(broker);
    return broker;
  };
}

/** A client whose session lasts for ever, unless told otherwise, and which acknowledges nothing by itself. */
export async function connectLasting(
  broker: BrokerProcess,
  version: Version,
  clientId: string,
  options: Partial<Connect> = {},
  acknowledges = false,
): Promise<{ client: RawMqtt; sessionPresent: boolean }> {
  const client = await openMqtt(broker.url, version);
  client.acknowledges = acknowledges;
  const { sessionPresent } = await client.connect({
    clientId,
    cleanStart: false,
    properties: version === 5 ? { sessionExpiryIntervalS: 0xffff_ffff } : {},
    ...options,
  });
  return { client, sessionPresent };
}
