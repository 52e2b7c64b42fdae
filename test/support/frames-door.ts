import { expect, vi } from 'vitest';
import { type Guard, policyOfGuard } from '../../internal/access/guard.ts';
import { Broker, type BrokerSettings, type Logger } from '../../internal/broker/broker.ts';
import type { Client } from '../../internal/broker/client.ts';
import type { Channel } from '../../internal/broker/delivery/channel.ts';
import { Admission } from '../../internal/doors/clients/admission.ts';
import type { ClientDoorParts } from '../../internal/doors/clients/client-door.ts';
import { FramesDoor } from '../../internal/doors/frames/door.ts';
import { Metrics } from '../../internal/observe/metrics.ts';
import { encodeFrame, FrameType } from '../../internal/protocol/frame/frame.ts';
import { withEndlessTurn } from './endless-turn.ts';
import { FakeConnection } from './fake-connection.ts';
import { sessionsOf } from './sessions.ts';

/** A door of the frames with its broker, for tests that bring their own connections. */
export function framesDoor({
  logger = { debug() {}, info() {}, warn() {}, error() {} },
  ...settings
}: Partial<ClientDoorParts & BrokerSettings> & { guard?: Guard; logger?: Logger } = {}) {
  const metrics = new Metrics();
  const { guard } = settings;
  const all = {
    admission: new Admission(undefined, guard && policyOfGuard(guard)),
    maxClients: 100,
    channelSize: 100,
    channelBytes: 1e9,
    slowConsumer: 'drop-new' as const,
    slowConsumerWaitMs: 60_000,
    maxMessageBytes: 1000,
    connectTimeoutMs: 60_000,
    keepAliveMs: 0,
    ...settings,
  };
  const broker = withEndlessTurn(new Broker({ settings: all, metrics, logger }));
  const connects = vi.spyOn(broker, 'connect');
  const sessions = sessionsOf(broker, metrics, logger);
  const door = new FramesDoor({ sessions, ...all, broker, metrics, logger });

  function open(first: Uint8Array = new Uint8Array(0)): FakeConnection {
    const connection = new FakeConnection();
    door.open(connection, first);
    return connection;
  }

  /** A client that has its CONNACK and a SUBACK for each filter. */
  async function connected(clientId: string, ...filters: string[]): Promise<FakeConnection> {
    const requests = filters.map((filter) => encodeFrame(FrameType.subscribe, filter, '', clientId));
    const connection = open(Buffer.concat([encodeFrame(FrameType.connect, '', '', clientId), ...requests]));
    expect(await connection.frames()).toHaveLength(1 + filters.length);
    return connection;
  }

  function channelOf(clientId: string): Channel {
    const letIn = connects.mock.results.map(({ value }) => value as Client);
    const client = letIn.findLast(({ identity }) => identity.clientId === clientId);
    expect(client).toBeDefined();
    return client!.channel;
  }

  return { door, broker, sessions, metrics, open, connected, channelOf };
}
