import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { FrameType } from '../../../internal/protocol/frame/frame.ts';
import { openStream, RawClient } from '../../support/raw-client.ts';
import type { AccessDoor, DoorAction, DoorSession, Login, Names, Places } from './door.ts';
import { Refused } from './door.ts';

const PUBLISH_REFUSED = 10;
const SUBSCRIBE_REFUSED = 11;

/** The frames, by a client that agreed that refusals do not end its connection, or by one of the original's kind. */
export function frames(agreesOnRefusals: boolean): AccessDoor {
  const refusal = (type: string) => (agreesOnRefusals ? type : 'DISCONNECT');
  const publishing = { effect: 'changes', granted: 'PONG', refused: [words('PUBLISHREFUSED')] } as const;
  const subscribing = {
    ...{ effect: 'shows' as const, granted: 'SUBACK', refused: [words('SUBSCRIBEREFUSED')] },
    ends: 'DISCONNECT not-authorized',
  } as const;
  function words(type: string): string {
    return `${refusal(type)} not-authorized`;
  }
  return {
    name: agreesOnRefusals ? 'frames' : 'frames without extensions',
    words: {
      badLogin: 'DISCONNECT bad-credentials',
      nothingShown: 'DISCONNECT not-authorized',
      mayNotConnect: 'DISCONNECT not-authorized',
      thrownOut: 'DISCONNECT not-authorized',
      expired: 'DISCONNECT credentials-expired',
      afterwards: { thrownOut: 'closed', expired: 'closed' },
    },
    following: 'subscribe',
    actions: [
      { name: 'publish', ...publishing },
      { name: 'subscribe', ...subscribing },
      { name: 'subscribe with a wildcard', ...subscribing },
      { name: 'subscribe in a group', ...subscribing, effect: 'brings' },
      { name: 'replay', ...subscribing },
      { name: 'replay in a group', ...subscribing, effect: 'none', granted: undefined },
    ] satisfies DoorAction[],
    async open(places, login) {
      const client = new RawClient(await streamTo(places, login), randomUUID());
      const session = new FramesSession(client);
      client.send(FrameType.connect, '', offerOf(login, agreesOnRefusals));
      const answer = await session.answer();
      if (answer !== 'CONNACK') throw new Refused(answer);
      return session;
    },
  };
}

function streamTo({ plain, secured }: Places, { certificate }: Login): Promise<Duplex> {
  return certificate === undefined ? openStream(plain.frames!) : openStream(secured.frames!, certificate);
}

function offerOf({ user, password, token }: Login, agreesOnRefusals: boolean): string {
  const shown = Object.entries({ user, password, token })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${Buffer.from(value!).toString('base64')}`);
  const offer = agreesOnRefusals ? ['refusals'] : [];
  return [...offer, ...(shown.length > 0 ? ['credentials', ...shown] : [])].join(' ');
}

class FramesSession implements DoorSession {
  received = '';
  readonly #client: RawClient;

  constructor(client: RawClient) {
    this.#client = client;
    client.stream.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')));
  }

  async perform(action: string, { topic, group }: Names): Promise<string> {
    if (this.#client.isClosed) return 'closed';
    if (action === 'publish') {
      this.#client.publish(topic, 'x');
      this.#client.send(FrameType.ping);
      const told = await this.answer();
      // Behind a refusal that ends nothing comes the answer to the ping.
      if (told.startsWith('PUBLISHREFUSED')) await this.answer();
      return told;
    }
    this.#client.send(FrameType.subscribe, filterOf(action, topic, group));
    return this.answer();
  }

  follow(names: Names): Promise<string> {
    return this.perform('subscribe', names);
  }

  send({ topic }: Names, text: string): void {
    this.#client.publish(topic, text);
  }

  async settle(): Promise<void> {
    if (this.#client.isClosed) return;
    this.#client.send(FrameType.ping);
    let told: string;
    do told = await this.answer();
    while (told !== 'PONG' && !this.#client.isClosed);
  }

  end(): Promise<string> {
    return this.answer();
  }

  close(): void {
    this.#client.stream.destroy();
  }

  /** The next frame that is no message. */
  async answer(): Promise<string> {
    for (;;) {
      const { type, payload } = await this.#client.next();
      if (type === FrameType.publish) continue;
      if (type === FrameType.disconnect) {
        this.#client.stream.end();
        await this.#client.closed();
      }
      return [NAMES[type] ?? `type ${type}`, codeOf(payload)].filter((word) => word !== '').join(' ');
    }
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [FrameType.connack]: 'CONNACK',
  [FrameType.suback]: 'SUBACK',
  [FrameType.pong]: 'PONG',
  [FrameType.disconnect]: 'DISCONNECT',
  [PUBLISH_REFUSED]: 'PUBLISHREFUSED',
  [SUBSCRIBE_REFUSED]: 'SUBSCRIBEREFUSED',
};

function codeOf(payload: Uint8Array): string {
  return /^([a-z-]+): /.exec(Buffer.from(payload).toString())?.[1] ?? '';
}

/** The filter of an action that subscribes, on every door that has filters. */
export function filterOf(action: string, topic: string, group: string): string {
  const below = topic.slice(0, topic.lastIndexOf('/'));
  switch (action) {
    case 'subscribe with a wildcard':
      return `${below}/#`;
    case 'subscribe in a group':
      return `$share/${group}/${topic}`;
    case 'replay':
      return `$replay/earliest/${topic}`;
    case 'replay in a group':
      return `$share/${group}/$replay/earliest/${topic}`;
    default:
      return topic;
  }
}
