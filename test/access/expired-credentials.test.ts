import { afterEach, describe, expect, it } from 'vitest';
import type { Authenticator } from '../../internal/access/authenticator.ts';
import { identityOf } from '../../internal/access/identity.ts';
import { Admission } from '../../internal/doors/clients/admission.ts';
import { MovableClock } from '../../internal/lib/clock.ts';
import { Status } from '../../internal/protocol/grpc/status.ts';
import { PacketType } from '../../internal/protocol/mqtt/packet.ts';
import { type RunningBroker, startBroker } from '../../pkg/embed/index.ts';
import { openTestDoor } from '../grpc/grpc-door.ts';
import { connectMqtt } from '../mqtt/client.ts';
import { connectRaw } from '../support/raw-client.ts';

const MINUTE_MS = 60_000;
const NOT_AUTHORIZED = 0x87;

/** Clients whose name begins with `short` have credentials for a minute. */
function authenticatorBy(clock: MovableClock): Authenticator {
  return {
    authenticate: (peer) => {
      const isShort = peer.clientId.startsWith('short') || peer.door === 'grpc';
      return identityOf(peer, { user: 'u', expiresAtMs: isShort ? clock.now() + MINUTE_MS : undefined });
    },
  };
}

let broker: RunningBroker | undefined;
afterEach(() => broker?.close());

describe('a connection whose credentials end', () => {
  it('is closed with the reason, and others go on', async () => {
    const clock = new MovableClock();
    broker = await startBroker({
      listen: ['tcp://localhost:0'],
      memory: true,
      sysIntervalMs: 0,
      clock,
      authenticator: authenticatorBy(clock),
    });
    await using frames = await connectRaw(broker.url, 'short frames');
    await using lasting = await connectRaw(broker.url, 'lasting');
    await lasting.subscribe('#');
    const mqtt = await connectMqtt(broker.url, 5, { clientId: 'short mqtt', keepAliveS: 0 });
    const older = await connectMqtt(broker.url, 4, { clientId: 'short older', keepAliveS: 0 });

    await clock.advance(MINUTE_MS - 1_000);
    frames.publish('t', 'still in');
    expect((await lasting.next()).topic).toBe('t');

    await clock.advance(2_000);
    expect(await frames.expectRefusal()).toMatch(/^credentials-expired: /);
    expect((await mqtt.next(PacketType.disconnect)).reasonCode).toBe(NOT_AUTHORIZED);
    await mqtt.ended();
    await older.ended();
    lasting.publish('t', 'goes on');
    expect((await lasting.next()).topic).toBe('t');
    expect(broker.stats()['disconnects_total{code="credentials-expired"}']).toBe(3);
  });

  it('serves no calls of gRPC any more', async () => {
    const clock = new MovableClock();
    const door = await openTestDoor({ admission: new Admission(authenticatorBy(clock)), clock });
    try {
      expect((await door.client.call('Connect', [{}]).ended).status).toBe(Status.OK);
      await door.logs.topicOrNew('a');
      const stream = door.client.call('StreamConsume', [{ topic: 'a', offset: 1n }]);
      await clock.advance(MINUTE_MS + 1_000);
      const expired = {
        status: Status.UNAUTHENTICATED,
        message: expect.stringMatching(/^credentials-expired: /),
      };
      expect(await stream.ended).toMatchObject(expired);
      expect(await door.client.call('Connect', [{}]).ended).toMatchObject(expired);
    } finally {
      await door.close();
    }
  });
});
