import type { Qos } from '../../../internal/protocol/mqtt/packet.ts';
import { PacketType } from '../../../internal/protocol/mqtt/packet.ts';
import { RawMqtt } from '../../mqtt/client.ts';
import { eventually } from '../../support/eventually.ts';
import { openStream } from '../../support/raw-client.ts';
import type { AccessDoor, DoorSession, Login, Names, Places } from './door.ts';
import { Refused } from './door.ts';
import { filterOf } from './frames.ts';

/** MQTT of a version. Before version 5 a PUBACK cannot say no, and a server that ends a connection does so without a word. */
export function mqtt(version: 4 | 5): AccessDoor {
  const isNew = version === 5;
  const code = (name: string, v5: number, older: number) => `${name} ${isNew ? v5 : older}`;
  const ended = isNew ? 'DISCONNECT 135' : 'closed';
  const publishing = {
    ...{ effect: 'changes' as const, granted: 'PUBACK 0', refused: [code('PUBACK', 135, 0)] },
  } as const;
  const subscribing = { effect: 'shows', refused: [code('SUBACK', 135, 128)], ends: ended } as const;
  return {
    name: isNew ? 'MQTT 5' : 'MQTT 3.1.1',
    words: {
      badLogin: code('CONNACK', 134, 4),
      nothingShown: code('CONNACK', 135, 5),
      mayNotConnect: code('CONNACK', 135, 5),
      thrownOut: ended,
      expired: ended,
      afterwards: { thrownOut: 'closed', expired: 'closed' },
    },
    following: 'subscribe with QoS 2',
    actions: [
      { name: 'publish with QoS 0', effect: 'changes', granted: 'PINGRESP', refused: ['PINGRESP'] },
      { name: 'publish with QoS 1', ...publishing },
      {
        ...{ name: 'publish with QoS 2', effect: 'changes' },
        ...{ granted: 'PUBREC 0', refused: [code('PUBREC', 135, 0)] },
      },
      { name: 'retain', ...publishing },
      { name: 'clear what is retained', ...publishing },
      {
        ...{ name: 'leave a will', effect: 'changes' },
        ...{ granted: 'CONNACK 0', refused: [code('CONNACK', 135, 5)] },
      },
      { name: 'subscribe', ...subscribing, granted: 'SUBACK 0' },
      { name: 'subscribe with QoS 2', ...subscribing, granted: 'SUBACK 2' },
      { name: 'subscribe with a wildcard', ...subscribing, granted: 'SUBACK 0' },
      { name: 'subscribe in a group', ...subscribing, effect: 'brings', granted: 'SUBACK 0' },
      { name: 'replay', ...subscribing, granted: 'SUBACK 0' },
    ],
    open: (places, login) => MqttSession.open(places, login, version),
  };
}

class MqttSession implements DoorSession {
  received = '';
  readonly #client: RawMqtt;
  readonly #places: Places;
  readonly #login: Login;

  private constructor(client: RawMqtt, places: Places, login: Login) {
    this.#client = client;
    this.#places = places;
    this.#login = login;
    client.stream.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
  }

  static async open(
    places: Places,
    login: Login,
    version: 4 | 5,
    options: Parameters<RawMqtt['connect']>[0] = {},
  ): Promise<MqttSession> {
    const { certificate } = login;
    const stream = await (certificate === undefined
      ? openStream(places.plain.frames!)
      : openStream(places.secured.frames!, certificate));
    const client = new RawMqtt(stream, version);
    const { reasonCode } = await client.connect({ ...credentialsOf(login, version), ...options });
    if (reasonCode !== 0) throw new Refused(`CONNACK ${reasonCode}`);
    return new MqttSession(client, places, login);
  }

  async perform(action: string, names: Names): Promise<string> {
    const client = this.#client;
    if (client.hasEnded) return 'closed';
    const { topic, group } = names;
    if (action === 'leave a will') return this.#dieWithWill(topic);
    if (action.startsWith('publish') || action.startsWith('retain') || action.startsWith('clear')) {
      const qos = (/QoS (\d)/.exec(action)?.[1] ?? 1) as Qos;
      return this.#publish(topic, Number(qos) as Qos, action);
    }
    client.send({
      ...{ type: PacketType.subscribe, packetId: client.newPacketId(), properties: {} },
      subscriptions: [
        {
          ...{ filter: filterOf(action, topic, group), qos: action.endsWith('QoS 2') ? 2 : 0 },
          ...{ noLocal: false, retainAsPublished: false, retainHandling: 0 },
        },
      ],
    });
    return this.#answer();
  }

  follow(names: Names): Promise<string> {
    return this.perform('subscribe with QoS 2', names);
  }

  send({ topic }: Names, text: string): void {
    this.#client.publish(topic, text, { qos: 1 });
  }

  async settle(): Promise<void> {
    const client = this.#client;
    if (client.hasEnded) return;
    client.send({ type: PacketType.pingreq });
    let told: string;
    do told = await this.#answer();
    while (told !== 'PINGRESP' && told !== 'closed');
  }

  end(): Promise<string> {
    return this.#answer();
  }

  close(): void {
    this.#client.drop();
  }

  async #publish(topic: string, qos: Qos, action: string): Promise<string> {
    const client = this.#client;
    const payload = action.startsWith('clear') ? '' : 'x';
    const packetId = client.publish(topic, payload, { qos, retain: !action.startsWith('publish') });
    if (qos === 0) client.send({ type: PacketType.pingreq });
    const told = await this.#answer();
    if (told === 'PUBREC 0') {
      client.answer(PacketType.pubrel, packetId);
      await this.#answer();
    }
    return told;
  }

  /** Another connection of the same user, which breaks off. */
  async #dieWithWill(topic: string): Promise<string> {
    const will = { topic, payload: Buffer.from('x'), qos: 1, retain: true, properties: {} } as const;
    try {
      const other = await MqttSession.open(this.#places, this.#login, this.#client.version as 4 | 5, {
        will,
      });
      other.close();
      return 'CONNACK 0';
    } catch (error) {
      if (error instanceof Refused) return error.message;
      throw error;
    }
  }

  /** The next packet that is no message. */
  async #answer(): Promise<string> {
    const client = this.#client;
    for (;;) {
      await eventually(() => client.waiting.length > 0 || client.hasEnded, 'a packet');
      const packet = client.waiting.shift();
      if (packet === undefined) return 'closed';
      if (packet.type === PacketType.publish || packet.type === PacketType.pubrel) continue;
      if (packet.type === PacketType.disconnect) await client.ended();
      const codes =
        'reasonCodes' in packet ? packet.reasonCodes : 'reasonCode' in packet ? [packet.reasonCode] : [];
      return [NAMES[packet.type] ?? `type ${packet.type}`, ...codes].join(' ');
    }
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [PacketType.puback]: 'PUBACK',
  [PacketType.pubrec]: 'PUBREC',
  [PacketType.pubcomp]: 'PUBCOMP',
  [PacketType.suback]: 'SUBACK',
  [PacketType.pingresp]: 'PINGRESP',
  [PacketType.disconnect]: 'DISCONNECT',
};

/** A token stands in the place of the password; before version 5 that has to be beside a user name, which may be empty. */
function credentialsOf({ user, password, token }: Login, version: 4 | 5) {
  const secret = password ?? token;
  const userName = user ?? (version === 4 && token !== undefined ? '' : undefined);
  return {
    ...(userName === undefined ? {} : { userName }),
    ...(secret === undefined ? {} : { password: Buffer.from(secret) }),
  };
}
