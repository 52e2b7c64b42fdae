import fc from 'fast-check';
import { type Packet, PacketType, type Version } from '../../internal/protocol/mqtt/packet.ts';
import {
  NO_PROPERTIES,
  type Properties,
  type PropertyCarrier,
  propertyTable,
} from '../../internal/protocol/mqtt/properties.ts';
import { mayCarry } from '../../internal/protocol/mqtt/reason-codes.ts';

/** Any packet that a version allows, for property tests. */
export function anyPacket(version: Version): fc.Arbitrary<Packet> {
  const kinds = [
    anyConnect(version),
    anyPublish(version),
    anyAnswer(version),
    anySubscribe(version),
    anyUnsubscribe(version),
    fc.constantFrom<Packet>({ type: PacketType.pingreq }, { type: PacketType.pingresp }),
    anyConnack(version),
    anySuback(version),
    anyDisconnect(version),
  ];
  return fc.oneof(...kinds);
}

const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter((value) => !value.includes('\0') && value.isWellFormed());
const name = text.filter((value) => value !== '' && !/[+#]/.test(value));
const binary = fc.uint8Array({ maxLength: 20 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const packetId = fc.integer({ min: 1, max: 65_535 });

/** Any PUBLISH that a version allows. */
export function anyPublish(version: Version): fc.Arbitrary<Packet> {
  return fc
    .record({
      topic: name,
      payload: binary,
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId,
      properties: anyProperties('publish', version),
    })
    .map((publish) => ({
      ...publish,
      type: PacketType.publish,
      dup: publish.dup && publish.qos > 0,
      packetId: publish.qos > 0 ? publish.packetId : 0,
    }));
}

function anyConnect(version: Version): fc.Arbitrary<Packet> {
  const will = fc.record({
    topic: text,
    payload: binary,
    qos,
    retain: fc.boolean(),
    properties: anyProperties('will', version),
  });
  return fc
    .record({
      cleanStart: fc.boolean(),
      keepAliveS: fc.nat(65_535),
      clientId: text,
      will: fc.option(will, { nil: undefined }),
      userName: fc.option(text, { nil: undefined }),
      password: fc.option(binary, { nil: undefined }),
      properties: anyProperties('connect', version),
    })
    .map(({ userName, password, ...connect }) => ({
      ...connect,
      type: PacketType.connect,
      version,
      userName: userName ?? (version === 5 || password === undefined ? undefined : 'me'),
      password,
    }));
}

function anyConnack(version: Version): fc.Arbitrary<Packet> {
  return fc
    .record({
      sessionPresent: fc.boolean(),
      reasonCode: version === 5 ? anyReason('connack') : fc.nat(5),
      properties: anyProperties('connack', version),
    })
    .map((packet) => ({ ...packet, type: PacketType.connack }));
}

function anyAnswer(version: Version): fc.Arbitrary<Packet> {
  return fc.constantFrom('puback', 'pubrec', 'pubrel', 'pubcomp').chain((kind) =>
    fc
      .record({
        packetId,
        reasonCode: version === 5 ? anyReason(kind) : fc.constant(0),
        properties: anyProperties(kind, version),
      })
      .map((packet) => ({ ...packet, type: PacketType[kind] })),
  );
}

function anySubscribe(version: Version): fc.Arbitrary<Packet> {
  const options =
    version === 5
      ? {
          noLocal: fc.boolean(),
          retainAsPublished: fc.boolean(),
          retainHandling: fc.constantFrom(0 as const, 1 as const, 2 as const),
        }
      : {
          noLocal: fc.constant(false),
          retainAsPublished: fc.constant(false),
          retainHandling: fc.constant(0 as const),
        };
  return fc
    .record({
      packetId,
      subscriptions: fc.array(fc.record({ filter: text, qos, ...options }), { minLength: 1, maxLength: 5 }),
      properties: anyProperties('subscribe', version),
    })
    .map((packet) => ({ ...packet, type: PacketType.subscribe }));
}

function anyUnsubscribe(version: Version): fc.Arbitrary<Packet> {
  return fc
    .record({
      packetId,
      filters: fc.array(text, { minLength: 1, maxLength: 5 }),
      properties: anyProperties('unsubscribe', version),
    })
    .map((packet) => ({ ...packet, type: PacketType.unsubscribe }));
}

function anySuback(version: Version): fc.Arbitrary<Packet> {
  return fc
    .record({
      packetId,
      reasonCodes: fc.array(version === 5 ? anyReason('suback') : fc.constantFrom(0, 1, 2, 0x80), {
        minLength: 1,
      }),
      properties: anyProperties('suback', version),
    })
    .map((packet) => ({ ...packet, type: PacketType.suback }));
}

function anyDisconnect(version: Version): fc.Arbitrary<Packet> {
  return fc
    .record({
      reasonCode: version === 5 ? anyReason('disconnect') : fc.constant(0),
      properties: anyProperties('disconnect', version),
    })
    .map((packet) => ({ ...packet, type: PacketType.disconnect }));
}

function anyReason(carrier: string): fc.Arbitrary<number> {
  return fc.nat(255).filter((code) => mayCarry(carrier, code));
}

/** Properties of a carrier, each one there or not; none before version 5. */
function anyProperties(carrier: PropertyCarrier, version: Version): fc.Arbitrary<Properties> {
  if (version !== 5) return fc.constant(NO_PROPERTIES);
  const values: Record<string, fc.Arbitrary<unknown>> = {};
  for (const entry of Object.values(propertyTable)) {
    if (entry.on.includes(carrier)) values[entry.name] = anyValue(entry, carrier);
  }
  return fc.record(values, { requiredKeys: [] }).map((properties: Properties) => {
    if (properties.authenticationMethod === undefined) delete properties.authenticationData;
    return Object.keys(properties).length === 0 ? NO_PROPERTIES : properties;
  });
}

function anyValue(
  { name: property, type, problem }: (typeof propertyTable)[number],
  carrier: PropertyCarrier,
): fc.Arbitrary<unknown> {
  const any = {
    byte: fc.nat(255),
    uint16: fc.nat(0xffff),
    uint32: fc.nat(0xffff_ffff),
    varint: fc.nat(268_435_455),
    text,
    binary,
    pair: fc.tuple(text, text),
  }[type] as fc.Arbitrary<never>;
  const allowed = type === 'byte' ? fc.nat(1) : any.filter((value) => problem?.(value) === undefined);
  if (property === 'userProperties') return fc.array(allowed, { minLength: 1, maxLength: 3 });
  if (property !== 'subscriptionIdentifiers') return allowed;
  return fc.array(allowed, { minLength: 1, maxLength: carrier === 'subscribe' ? 1 : 3 });
}
