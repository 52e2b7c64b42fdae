import { afterEach, describe, expect, it } from 'vitest';
import { sessionChangesWaiting } from '../../internal/limits/persistence.ts';
import { PacketType, type Qos } from '../../internal/protocol/mqtt/packet.ts';
import { NO_PROPERTIES } from '../../internal/protocol/mqtt/properties.ts';
import { HeldEntries } from '../support/held-entries.ts';
import { type DoorClient, mqttDoor, publishPacket } from '../support/mqtt-door.ts';

const ABSENT = 40;

let close: (() => Promise<void>) | undefined;
afterEach(async () => {
  await close?.();
  close = undefined;
});

// Fifty sessions that took 12,500 retained topics each kept the disk busy; whoever published to a topic of theirs was not
// read until it had come after, though many had asked for nothing: QoS 0 devices got no PINGRESP for 5 to 8 seconds.
describe('while the store is behind with what sessions keep', () => {
  it.each([
    ['QoS 0', 'kept/plain', 0, {}],
    ['QoS 0 with a property', 'kept/plain', 0, { properties: { contentType: 'x' } }],
    ['QoS 0, retained', 'kept/state', 0, { retain: true }],
    ['QoS 1, which no session keeps', 'elsewhere', 1, {}],
  ] as const)('who asks for nothing of that is heard: %s', async (_, topic, qos, more) => {
    const { connected, keeper } = await behind();
    const device = await connected(5, { clientId: 'device' });
    device.publish(topic, qos, qos, more);
    device.send({ type: PacketType.pingreq });
    expect(await device.shown()).toContain('pingresp');
    expect(device.connection.pauses).toBe(0);
    expect(keeper.connection.pauses).toBeGreaterThan(0);
  });

  it('who asks for that waits, and goes on when the store has come after', async () => {
    const { connected, entries } = await behind();
    const publisher = await connected(4, { clientId: 'publisher' });
    publisher.publish('kept/x', 1, 1);
    publisher.publish('kept/retained', 1, 2, { retain: true });
    expect(publisher.connection.pauses).toBeGreaterThan(0);
    entries.isHeld = false;
    while (publisher.connection.pauses > 0) {
      entries.release();
      await publisher.packets();
    }
  });
});

/** A store that writes nothing, with more changes than it may be behind with; one publisher waits for it. */
async function behind() {
  const entries = new HeldEntries();
  const door = await mqttDoor({ entries });
  close = async () => {
    entries.isHeld = false;
    for (let writes = 0; writes < 10; writes++) entries.release();
    await door.close();
  };
  for (let index = 0; index < ABSENT; index++) {
    const session = await door.connected(4, { clientId: `absent-${index}`, cleanStart: false });
    subscribe(session, 'kept/#', 1);
    await session.packets();
    session.drop();
  }
  const witness = await door.connected(4, { clientId: 'witness', cleanStart: false });
  subscribe(witness, '#', 0);
  await witness.packets();
  entries.isHeld = true;
  const keeper = await door.connected(4, { clientId: 'keeper' });
  const count = Math.ceil(sessionChangesWaiting / ABSENT) + 1;
  const packets = Array.from({ length: count }, (_, index) => publishPacket('kept/x', 1, index + 1));
  keeper.send(...packets);
  await keeper.packets();
  return { ...door, entries, keeper };
}

function subscribe(client: DoorClient, filter: string, qos: Qos): void {
  const subscription = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
  const properties = NO_PROPERTIES;
  client.send({ type: PacketType.subscribe, packetId: 1, subscriptions: [subscription], properties });
}
